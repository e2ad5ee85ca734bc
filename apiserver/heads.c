/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/heads.h"

#include <stdio.h>

void cleat_api_heads_init(struct cleat_api_heads *heads, const struct cleat_api_request *request)
{
    const struct cleat_api_resource *resource = request->resource;
    heads->partial = request->form == CLEAT_API_FORM_METADATA;
    const char *version = heads->partial ? "meta.k8s.io/v1" : request->api_version;
    snprintf(heads->object, sizeof(heads->object), "{\"kind\":\"%s\",\"apiVersion\":\"%s\",",
             heads->partial ? "PartialObjectMetadata" : resource->kind, version);
    snprintf(heads->list, sizeof(heads->list), "{\"kind\":\"%s\",\"apiVersion\":\"%s\",",
             heads->partial ? "PartialObjectMetadataList" : resource->list_kind, version);
    bool typed = heads->partial || (resource->flags & CLEAT_API_CUSTOM);
    snprintf(heads->item, sizeof(heads->item), "%s", typed ? heads->object : "{");
    heads->close = heads->partial ? "}" : "";
}
