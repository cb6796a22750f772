"""Another name of `remotemedia.runtime`."""

from remotemedia.runtime import (
    __version__,
    execute_pipeline,
    execute_pipeline_with_input,
    execute_pipeline_with_instances,
    get_metrics,
    get_runtime_version,
    is_available,
    list_registered_node_types,
    register_inline_node_class,
    register_python_node_type,
    unregister_node_type,
)

__all__ = [
    "__version__",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "execute_pipeline_with_instances",
    "get_metrics",
    "get_runtime_version",
    "is_available",
    "list_registered_node_types",
    "register_inline_node_class",
    "register_python_node_type",
    "unregister_node_type",
]
