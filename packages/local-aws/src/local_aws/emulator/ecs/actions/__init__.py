"""ECS's actions, by the noun they act on: `(backend, request) -> answer`, or ServiceError."""
