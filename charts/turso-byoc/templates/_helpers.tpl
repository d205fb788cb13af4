{{- define "turso-byoc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "turso-byoc" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-turso-byoc" (.Release.Name | trunc 29 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the pods of a component are found: dict "root" $ "component" "data". They never change. */}}
{{- define "turso-byoc.selector" -}}
app.kubernetes.io/name: turso-byoc
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "turso-byoc.labels" -}}
{{ include "turso-byoc.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* dict "root" $ "image" .Values.images.dataNode */}}
{{- define "turso-byoc.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "turso-byoc.dataServiceAccount" -}}
{{- .Values.serviceAccounts.dataNode.name | default (printf "%s-data" (include "turso-byoc.fullname" .)) -}}
{{- end -}}

{{- define "turso-byoc.controlServiceAccount" -}}
{{- .Values.serviceAccounts.controlPlane.name | default (printf "%s-control" (include "turso-byoc.fullname" .)) -}}
{{- end -}}

{{- define "turso-byoc.secret" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "turso-byoc.fullname" .)) -}}
{{- end -}}

{{/* Changes when the Secret does, as far as whoever renders can see it. */}}
{{- define "turso-byoc.secretChecksum" -}}
{{- $found := lookup "v1" "Secret" .Release.Namespace (include "turso-byoc.secret" .) -}}
{{- (get ($found | default dict) "data") | default dict | toJson | sha256sum -}}
{{- end -}}

{{- define "turso-byoc.apiHostname" -}}
{{- .Values.apiHostname | default (printf "api.%s" .Values.hostname) -}}
{{- end -}}

{{/* What the "restricted" Pod Security Standard asks of a pod, and of a container. */}}
{{- define "turso-byoc.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "turso-byoc.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Settings of the control plane and of commands that work like one. */}}
{{- define "turso-byoc.controlEnvironment" -}}
envFrom:
  - configMapRef:
      name: {{ include "turso-byoc.fullname" . }}-control
{{- end -}}

{{- define "turso-byoc.controlMounts" -}}
- name: secrets
  mountPath: /run/secrets/turso-byoc
  readOnly: true
{{- if .Values.local.enabled }}
- name: control-store
  mountPath: /var/lib/turso-byoc/control
{{- end }}
{{- end -}}

{{- define "turso-byoc.controlVolumes" -}}
- name: secrets
  secret:
    secretName: {{ include "turso-byoc.secret" . }}
    defaultMode: 0440
    items:
      - key: admin-credential
        path: admin-credential
      - key: signing-key
        path: signing-key
{{- if .Values.local.enabled }}
- name: control-store
  persistentVolumeClaim:
    claimName: {{ include "turso-byoc.fullname" . }}-control-store
{{- end }}
{{- end -}}

{{/* Volumes of one machine: whoever uses them runs where the data node runs. */}}
{{- define "turso-byoc.besideDataNode" -}}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "turso-byoc.selector" (dict "root" . "component" "data") | nindent 12 }}
{{- end -}}

{{/* S3, KMS and STS, and the agent of EKS Pod Identity; never the machine's own metadata service. */}}
{{- define "turso-byoc.awsEgress" -}}
{{- if not .Values.local.enabled -}}
- ports: [{ port: 443 }]
  to:
    {{- range .Values.networkPolicy.awsCidrs }}
    - ipBlock:
        cidr: {{ . }}
        {{- if eq . "0.0.0.0/0" }}
        except: [169.254.0.0/16]
        {{- end }}
    {{- end }}
- ports: [{ port: 80 }]
  to:
    - ipBlock:
        cidr: 169.254.170.23/32
    - ipBlock:
        cidr: fd00:ec2::23/128
{{- end -}}
{{- end -}}
