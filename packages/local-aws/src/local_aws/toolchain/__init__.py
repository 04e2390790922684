"""Tools that are no Python package: the Pulumi engine, and what tests of pipelines need.

`ensure_engine(cache, say)`, `ensure_act(cache, say)` and the others return once the tool is in the cache folder; `say`
is called with one line of progress at a time.
"""

from local_aws.toolchain.engine import Engine, ensure_engine
from local_aws.toolchain.pipelines import ensure_act, ensure_actionlint, ensure_groovy, ensure_node_tools

__all__ = ["Engine", "ensure_act", "ensure_actionlint", "ensure_engine", "ensure_groovy", "ensure_node_tools"]
