/* The params of a manifest: the JSON Schema that users see, and the check of what they wrote. */
#ifndef REMOTEMEDIA_NODE_PARAMS_H
#define REMOTEMEDIA_NODE_PARAMS_H

#include "remotemedia_node.h"
#include "text.h"

/* The schema of the params object. `params` ends with an empty entry, and may be NULL. */
void rm_params_schema(const rm_param *params, rm_text *schema);

/* Writes defaults and what the manifest says to the variables, or reports the error. */
rm_status rm_params_read(const rm_param *params, const char *json, size_t size);

#endif
