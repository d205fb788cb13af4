/** Writes docs/image-sizes.md: what the images weigh, and their heaviest parts. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/** Bytes of the files below paths of a mounted image. */
function weigh(root, paths) {
  const there = paths.map((path) => join(root, path)).filter((path) => existsSync(path));
  if (there.length === 0) return 0;
  const lines = execFileSync('du', ['--bytes', '--summarize', ...there], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return lines.reduce((sum, line) => sum + Number(line.split('\t')[0]), 0);
}

function below(root, path, pattern) {
  const at = join(root, path);
  return existsSync(at)
    ? readdirSync(at)
        .filter((entry) => pattern.test(entry))
        .map((entry) => join(path, entry))
    : [];
}

export function writeImageSizes({ dataImage, controlImage, podman }) {
  const columns = [dataImage, controlImage].map((image) => {
    const root = podman('image', 'mount', image);
    try {
      const modules = 'app/node_modules';
      const parts = {
        'Node.js': weigh(root, ['usr/local/bin/node']),
        'Debian: C library, perl, tools': weigh(root, ['usr/lib', 'usr/bin', 'usr/share', 'var', 'etc']),
        'engine `libsql`': weigh(root, below(root, `${modules}/@libsql`, /^linux/)),
        'engine `tursodb`, without debug information': weigh(
          root,
          below(root, `${modules}/@tursodatabase`, /^database-/),
        ),
        'AWS SDK': weigh(root, [...below(root, modules, /^@(?:aws-sdk|smithy|aws-crypto|aws)$/)]),
        'other packages': weigh(root, [modules, 'app/data-plane/node_modules', 'app/control-plane/node_modules']),
        'the product itself': weigh(root, ['app/data-plane/dist', 'app/control-plane/dist']),
      };
      for (const part of ['engine `libsql`', 'engine `tursodb`, without debug information', 'AWS SDK']) {
        parts['other packages'] -= parts[part];
      }
      const total = Number(podman('image', 'inspect', '--format', '{{.Size}}', image));
      const packed = Number(
        execFileSync('sh', ['-c', `podman save "${image}" | gzip -6 | wc -c`], { encoding: 'utf8' }).trim(),
      );
      return { parts, total, packed };
    } finally {
      podman('image', 'unmount', image);
    }
  });
  const [data, control] = columns;
  const rows = [
    ['part', 'data node, MB', 'control plane, MB'],
    ...Object.keys(data.parts).map((part) => [part, megabytes(data.parts[part]), megabytes(control.parts[part])]),
    ['**all**', megabytes(data.total), megabytes(control.total)],
    ['packed, as a registry keeps it', megabytes(data.packed), megabytes(control.packed)],
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head, ...body] = rows;
  writeFileSync(
    new URL('../docs/image-sizes.md', import.meta.url),
    `# What the images weigh\n\nWritten by \`.ci/check-images --write\`, for amd64.\n\n${[line(head), rule, ...body.map(line)].join('\n')}\n`,
  );
}
