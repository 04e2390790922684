"""Leaving a resource as it is: no update restarts the live colour's tasks, whatever the program or its settings say.

And leaving it there: while users are served, the engine itself refuses to replace or delete what they stand on.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Hold:
    """How firmly an update holds what both colours stand on.

    `shared`: the engine must not replace or delete it (its `protect`). `settled`: users were served before this update;
    only then are listeners held as well (a load balancer takes its listeners along when it is replaced, and the engine
    asks the state about those), and nothing follows a network that is replaced. `secured`: they come by HTTPS.
    `stays`: users go back to what runs already, so nothing of it but listeners is changed either.
    `leaves_tls`: listeners of an HTTPS that never opened to users are to speak plain HTTP again.
    """

    shared: bool
    settled: bool
    stays: bool = False
    secured: bool = False
    leaves_tls: bool = False

    def protect(self) -> pulumi.ResourceOptions:
        """For everything that both colours stand on."""
        return merged(pulumi.ResourceOptions(protect=self.shared), frozen(unless=not self.stays))

    def protect_listener(self) -> pulumi.ResourceOptions:
        """For listeners."""
        return pulumi.ResourceOptions(protect=self.settled)

    def protect_test_listener(self) -> pulumi.ResourceOptions:
        """For test listeners: held as listeners are, but replaced where one leaves TLS. No users come by them.

        In place that is refused: the AWS provider sends the recorded security policy along with HTTP, and AWS takes
        none for it (hashicorp/terraform-provider-aws#1851). The old one goes first, since both have one port.
        """
        if not self.leaves_tls:
            return self.protect_listener()
        return pulumi.ResourceOptions(replace_on_changes=["protocol"], delete_before_replace=True)

    def protect_https(self) -> pulumi.ResourceOptions:
        """For the listener of HTTPS, which may go again as long as no users come by it."""
        return pulumi.ResourceOptions(protect=self.settled and self.secured)

    def follow(self, *properties: str) -> pulumi.ResourceOptions:
        """Replaced when one of these properties changes, while no users are served: it cannot move to another VPC.

        The old one goes first, since both have one name.
        """
        if self.settled:
            return pulumi.ResourceOptions()
        return pulumi.ResourceOptions(replace_on_changes=list(properties), delete_before_replace=True)


def frozen(*, unless: bool) -> pulumi.ResourceOptions:
    """Options that make an update ignore every change of a resource, unless it may be written now."""
    return pulumi.ResourceOptions(ignore_changes=[] if unless else ["*"])


def merged(*options: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """All of these options together; a later one wins."""
    result = pulumi.ResourceOptions()
    for each in options:
        result = pulumi.ResourceOptions.merge(result, each)
    return result
