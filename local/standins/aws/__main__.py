"""The plugin process: `python -m local.standins.aws ENGINE_ADDRESS`."""

import os
import sys

from gates.kit import serve
from local.standins.aws.door import Door
from local.standins.aws.provider import provider

serve(provider(Door(os.environ)), sys.argv[1:])
