"""The gates: a Pulumi provider (`release`) whose resources must say yes before users are moved.

`Image -> (Migration) -> Rollout -> SmokeGate -> TrafficSwitch`; each hands the next a pass. Without one the switch
moves no traffic.
"""
