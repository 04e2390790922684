"""`pulumi_aws` a file at a time: the first `ec2.Vpc` loads `ec2/vpc.py`, and not the hundred files beside it.

The package loads a whole service at the first use of any of its names: half a second of processor time for the
services of this program, in every preview and update, of which it uses a tenth. After `install` a name is looked for
in the file that is called like it. Whatever has no such file loads its service whole, as before; so every name of
the package still works, and has the same meaning.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import Any

USED = {
    "cloudwatch": ("LogGroup",),
    "ec2": (
        *("InternetGateway", "RouteTable", "RouteTableAssociation", "RouteTableRouteArgs"),
        *("SecurityGroup", "Subnet", "Vpc"),
    ),
    "ecs": ("Cluster", "Service", "TaskDefinition"),
    "iam": ("Role", "RolePolicy", "RolePolicyAttachment"),
    "lb": ("Listener", "LoadBalancer", "TargetGroup"),
    "vpc": ("SecurityGroupEgressRule", "SecurityGroupIngressRule"),
}
"""What an environment registers, by service. A name that is missing here is loaded when it is used, and not before."""


class LeanService(ModuleType):
    """A service of the package, in place of the one that loads itself whole."""

    def __getattr__(self, name: str) -> Any:
        """Called for names that are not there yet only."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._from_a_file(name)
        if found is None:
            return self._from_the_whole(name)
        setattr(self, name, found)
        return found

    def _from_a_file(self, name: str) -> Any:
        file = file_of(name)
        module = self._file(file)
        # A name in small letters is a file itself (`outputs`), or a function, which is called like its file.
        return getattr(module, name, module if name == file else None)

    def _file(self, file: str) -> ModuleType | None:
        full = f"{self.__name__}.{file}"
        try:
            return importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
            return None

    def _from_the_whole(self, name: str) -> Any:
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # nothing is left to be looked for
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def file_of(name: str) -> str:
    """`RouteTable` -> `route_table`; arguments (`RouteTableRouteArgs`) are all in `_inputs`."""
    if name.endswith(("Args", "ArgsDict")):
        return "_inputs"
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def install() -> None:
    """Make those services lean that nobody has used yet in this process. Whoever holds one already holds it lean."""
    import pulumi_aws

    for service in USED:
        module = vars(pulumi_aws)[service]
        # `type`, not a look inside: that would load the service.
        if type(module).__name__ == "_LazyModule":
            module.__class__ = LeanService


def load() -> None:
    """Load what an environment registers; takes a quarter of a second, so it is done while something is waited for."""
    for service, names in USED.items():
        module = importlib.import_module(f"pulumi_aws.{service}")
        for name in names:
            getattr(module, name)
