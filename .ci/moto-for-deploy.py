"""The emulator moto, with gaps of its CloudFormation closed: keys with tags, policies of keys, secrets, parameters
   that keep their default, imports and exports of stacks that change sets make,
   termination protection, removal of route tables.

   python moto-for-deploy.py -H 127.0.0.1 -p PORT
"""

import json
import sys

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import RouteTable
from moto.kms.models import KmsBackend
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import main

create_key = KmsBackend.create_key
delete_stack = CloudFormationBackend.delete_stack
execute_change_set = CloudFormationBackend.execute_change_set
resolve_update_parameters = CloudFormationBackend._resolve_update_parameters


def create_key_with_tags(self, *args, **kwargs):
    """
    Templates write tags as Key and Value, the API of KMS as TagKey and TagValue; moto expects the latter of both. Policies
    are objects in the former and texts in the latter.
    """
    if isinstance(kwargs.get("policy"), dict):
        kwargs["policy"] = json.dumps(kwargs["policy"])
    tags = kwargs.get("tags") or []
    kwargs["tags"] = [
        {"TagKey": tag.get("TagKey", tag.get("Key")), "TagValue": tag.get("TagValue", tag.get("Value"))} for tag in tags
    ]
    return create_key(self, *args, **kwargs)


class Secret(CloudFormationModel):
    """A secret that a template makes."""

    # By its module moto tells which service a model belongs to.
    __module__ = "moto.secretsmanager.models"

    def __init__(self, arn):
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type():
        return "Name"

    @staticmethod
    def cloudformation_type():
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        answer = secretsmanager_backends[account_id][region_name].create_secret(
            name=properties["Name"],
            secret_string="generated",
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags"),
            kms_key_id=properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(answer)["ARN"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        return original_resource

    def delete(self, account_id, region_name):
        secretsmanager_backends[account_id][region_name].delete_secret(
            secret_id=self.physical_resource_id, recovery_window_in_days=30, force_delete_without_recovery=False
        )


def execute_change_set_as_creation(self, change_set_name, stack_name=None):
    """A stack that a change set makes can import what others export, and export itself, as any other."""
    change_set = self.describe_change_set(change_set_name)
    if change_set.change_set_type != "CREATE":
        execute_change_set(self, change_set_name, stack_name)
        return
    planned = self.stacks.pop(change_set.stack_id)
    made = self.create_stack(planned.name, change_set.template, change_set.parameters, tags=change_set.tags)
    # Whoever planned it asks for it under the name it had then.
    self.stacks[planned.stack_id] = self.stacks.pop(made.stack_id)
    made.stack_id = planned.stack_id
    change_set.execution_status = "EXECUTE_COMPLETE"


def update_termination_protection(self):
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def delete_stack_unless_protected(self, name_or_stack_id):
    for stack in self.stacks.values():
        if name_or_stack_id in (stack.name, stack.stack_id) and stack.enable_termination_protection:
            raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    delete_stack(self, name_or_stack_id)


def delete_route_table(self, account_id, region_name):
    """With its stack a route table goes, and with it its associations."""
    ec2_backends[account_id][region_name].route_tables.pop(self.id, None)


def resolve_update_parameters_with_defaults(self, instance, incoming_params):
    """A parameter that was never given has no previous value; its default stands."""
    given = [
        parameter
        for parameter in incoming_params
        if not parameter.get("UsePreviousValue") or parameter["ParameterKey"] in instance.parameters
    ]
    return resolve_update_parameters(self, instance, given)


KmsBackend.create_key = create_key_with_tags
CloudFormationBackend.delete_stack = delete_stack_unless_protected
CloudFormationBackend.execute_change_set = execute_change_set_as_creation
RouteTable.delete = delete_route_table
CloudFormationResponse.update_termination_protection = update_termination_protection
CloudFormationBackend._resolve_update_parameters = resolve_update_parameters_with_defaults
main(sys.argv[1:])
