"""Tools that no package registry serves ready-made: the Pulumi engine, and act.

`ensure_engine(cache, say)` and `ensure_act(cache, say)` return once the tool is in the cache folder; `say` is
called with one line of progress at a time.
"""

from local_aws.toolchain.act import ensure_act
from local_aws.toolchain.engine import Engine, ensure_engine

__all__ = ["Engine", "ensure_act", "ensure_engine"]
