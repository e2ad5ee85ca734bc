#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The checks themselves: each must be content with a clean little tree and find what is planted in it.
set -eu
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
status=0

# A clean tree with two layers and one public header.
fresh() {
    rm -rf "$root/tree"
    mkdir -p "$root/tree/include/cleat" "$root/tree/base" "$root/tree/kube" "$root/tree/certs" \
        "$root/tree/client" "$root/tree/examples" "$root/tree/docs"
    cd "$root/tree"
    printf '%s\n' "$spdx" '/*' ' * A noun.' ' */' '/** Does a thing, briefly. */' \
        'CLEAT_EXPORT void cleat_noun_do(void);' >include/cleat/noun.h
    printf '%s\n' "$spdx" '#include <cleat/noun.h>' '#include <pthread.h>' '#include "base/mem.h"' >base/noun.c
    printf '%s\n' "$spdx" '/* free(x) in a comment */' 'static const char *s = "free(x)";' >base/mem.h
    printf '%s\n' "$spdx" '#include <cleat/noun.h>' '#include <yaml.h>' '#include "base/mem.h"' >kube/yaml.c
    printf '%s\n' "$spdx" '#include <openssl/x509.h>' >certs/key.c
    printf '%s\n' "$spdx" 'int high;' >kube/kind.h
    printf '%s\n' "$spdx" 'int higher;' >client/kind.h
    printf '%s\n' "$spdx" 'int main(void) { return 0; }' >examples/controller.c
    printf '%s\n' "$spdx" 'int main(void) { return 1; }' >examples/webhook.c
    for file in examples/controller.c examples/webhook.c; do
        printf '%s\n' "<!-- $file -->" '```c'
        cat "$file"
        printf '%s\n' '```' ''
    done >README.md
    printf '%s\n' "$spdx" 'CLEAT_LOCK_CLASS(NOUN, "a noun")' >base/lock_classes.def
    printf '%s\n' '| class | guards |' '|---|---|' '| NOUN | a noun | here |' '| `main` | 1 |' >ARCHITECTURE.md
    printf '%s\n' 'See [the picture](../ARCHITECTURE.md).' >docs/guide.md
}

# expect RESULT CHECK: 0 content, 1 finds something.
expect() {
    result=0
    "$tools/check-$2.sh" "$root/tree" >"$root/output" 2>&1 || result=$?
    if [ "$result" -ne "$1" ]; then
        echo "check-$2 gave $result, not $1, for: $3"
        cat "$root/output"
        status=1
    fi
}

# plant FILE LINE CHECK: one line more must be found.
plant() {
    fresh
    printf '%s\n' "$2" >>"$1"
    expect 1 "$3" "$1: $2"
}

fresh
for check in layers docs style readme locks; do
    expect 0 "$check" "the clean tree"
done
plant base/noun.c '#include "kube/kind.h"' layers
plant kube/yaml.c '#include <pthread.h>' layers
plant kube/kind.h '#include <yaml.h>' layers
plant base/noun.c '#include <cleat/nothing.h>' layers
plant kube/kind.h '#include <openssl/x509.h>' layers
plant certs/key.c '#include "client/kind.h"' layers
plant base/noun.c '#include "mem.h"' layers
plant include/cleat/noun.h '#include "base/mem.h"' layers
plant include/cleat/noun.h 'CLEAT_EXPORT int cleat_noun_undocumented(void);' docs
plant include/cleat/noun.h '/** */
CLEAT_EXPORT int cleat_noun_empty(void);' docs
plant examples/webhook.c 'int more;' readme
plant README.md 'See [nothing](docs/nothing.md).' readme
plant docs/guide.md 'See [nothing](nothing.md).' readme
plant base/lock_classes.def 'CLEAT_LOCK_CLASS(OTHER, "another")' locks
plant ARCHITECTURE.md '| OTHER | another | nowhere |' locks
plant base/noun.c 'int r = cleat_thread_start(t, "unknown", 0, f, a, err);' locks
plant base/noun.c 'void f(void) { free(0); }' style
plant base/noun.c 'int f(char *x) { return sprintf(x, "y"); }' style
plant base/noun.c 'long f(void) { return time(0); }' style
plant base/noun.c 'void f(void) { usleep(1); }' style
plant base/noun.c "/* TO""DO later */" style
plant base/noun.c "/* see /ho""me/me/x */" style
fresh
sed -i 1d base/noun.c
expect 1 style "a file without its licence line"
[ "$status" -ne 0 ] || echo "tools: every planted problem was found"
exit "$status"
