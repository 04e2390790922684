"""The image gate: the registry really has this digest."""

from __future__ import annotations

from provider_kit import Context, Props

from release_lane.errors import Refused
from release_lane.gates.gate import Gate
from release_lane.gates.passes import RUN, Pass
from release_lane.record.digest import short
from release_lane.record.inputs import ImageInputs


class Image(Gate):
    """Passes a digest that the registry serves (`ImageInputs`). The output `detail` names the tags."""

    token = "release:index:Image"
    shown = ImageInputs.SHOWN

    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Ask the registry."""
        del ctx
        given = ImageInputs.from_dict(inputs)
        digest, cloud = given.digest, self.cloud_of(given.names)
        image = cloud.image(digest=digest)
        if image is None:
            raise Refused(
                f"{digest} is not in the registry {cloud.names.repository}.",
                next_step="`release build`, `release adopt`, or take a digest that `release status` knows.",
            )
        seen = f"{short(digest)} is in the registry as {', '.join(image.tags) or 'untagged'}"
        return Pass(digest=digest, run=RUN, manifests=image.manifests, unchecked=given.unchecked), seen
