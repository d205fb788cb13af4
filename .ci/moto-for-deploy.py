"""The emulator moto, with four gaps of its CloudFormation closed: keys with tags, policies of keys, secrets, and
   parameters that keep their default.

   python moto-for-deploy.py -H 127.0.0.1 -p PORT
"""

import json
import sys

from moto.cloudformation.models import CloudFormationBackend
from moto.core.common_models import CloudFormationModel
from moto.kms.models import KmsBackend
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import main

create_key = KmsBackend.create_key
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


def resolve_update_parameters_with_defaults(self, instance, incoming_params):
    """A parameter that was never given has no previous value; its default stands."""
    given = [
        parameter
        for parameter in incoming_params
        if not parameter.get("UsePreviousValue") or parameter["ParameterKey"] in instance.parameters
    ]
    return resolve_update_parameters(self, instance, given)


KmsBackend.create_key = create_key_with_tags
CloudFormationBackend._resolve_update_parameters = resolve_update_parameters_with_defaults
main(sys.argv[1:])
