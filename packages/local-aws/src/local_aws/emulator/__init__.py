"""The emulated AWS of the local cloud.

ministack answers for most services. ECS (`ecs`), Elastic Load Balancing (`elbv2`, `edge`), certificates (`acm`) and
CloudWatch's metrics and alarms (`cloudwatch`) are our own, because guarantees of releases rest on how exactly those
behave. Runs in its own virtual environment (requirements.lock here), so nothing below this package may import the rest
of the project.
"""
