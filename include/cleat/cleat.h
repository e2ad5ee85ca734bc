/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything of libcleat but the bridge to jansson (cleat/jansson.h) and the embedded API server
 * (cleat/apiserver.h), which are asked for by name.
 */
#ifndef CLEAT_CLEAT_H
#define CLEAT_CLEAT_H

#include <cleat/err.h>
#include <cleat/str.h>
#include <cleat/buffer.h>
#include <cleat/clock.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/health.h>
#include <cleat/value.h>
#include <cleat/path.h>
#include <cleat/document.h>
#include <cleat/projection.h>
#include <cleat/binding.h>
#include <cleat/draft.h>
#include <cleat/patch.h>
#include <cleat/write.h>
#include <cleat/gvk.h>
#include <cleat/object.h>
#include <cleat/selector.h>
#include <cleat/owner.h>
#include <cleat/condition.h>
#include <cleat/time.h>
#include <cleat/quantity.h>
#include <cleat/name.h>
#include <cleat/status.h>
#include <cleat/kubeconfig.h>
#include <cleat/call.h>
#include <cleat/client.h>
#include <cleat/discovery.h>
#include <cleat/cache.h>
#include <cleat/predicate.h>
#include <cleat/queue.h>
#include <cleat/controller.h>
#include <cleat/reconcile.h>
#include <cleat/recorder.h>
#include <cleat/jobs.h>
#include <cleat/election.h>
#include <cleat/manager.h>
#include <cleat/builder.h>
#include <cleat/webhook.h>
#include <cleat/bundle.h>
#include <cleat/certs.h>
#include <cleat/server.h>

#endif
