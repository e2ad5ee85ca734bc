#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reads every #include and fails where a folder reaches for what its row in ARCHITECTURE.md doesn't allow:
# our own folders, public headers (they belong to the folder with the source of the same name), third parties.
# Usage: check-layers.sh [source directory]
set -eu
cd "${1:-$(dirname "$0")/..}"

list_files() {
    for folder in include base value kube client webhooks controller certs cel kinds apiserver server \
        bench examples tests; do
        [ ! -d "$folder" ] || find "$folder" -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' \)
    done | sort
}

list_files | awk '
BEGIN {
    row("base", "base")
    row("value", "base value")
    row("kube", "base value kube")
    row("client", "base value kube client")
    row("webhooks", "base value kube webhooks")
    row("controller", "base value kube client controller")
    row("certs", "base value kube certs")
    row("certs_live", "base value kube client controller certs certs_live")
    row("cel", "base value cel")
    row("kinds", "base value kube client webhooks controller certs certs_live cel kinds")
    row("apiserver", "base value kube client certs apiserver")
    row("server", "base value kube client webhooks controller certs certs_live cel kinds apiserver server")
    # Third parties: header (or its directory), then the files that may include it.
    third("pthread.h", "^(base/|tests/)")
    third("xxhash.h", "^base/")
    third("jansson.h", "^(value/jansson|include/cleat/jansson\\.h|examples/|tests/|bench/)")
    third("yaml.h", "^kube/yaml")
    third("curl/", "^(client/transport_|tests/|bench/)")
    third("openssl/", "^(certs/|tests/|bench/)")
    third("microhttpd.h", "^(apiserver/http|server/http|tests/)")
    third("gnutls/", "^(server/http|server/tls|bench/|tests/)")
    third("pcre2.h", "^(apiserver/schema|cel/)")
    third("check.h", "^tests/")
}

function row(layer, list,    n, parts, i) {
    layers[layer] = 1
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++) allowed[layer, parts[i]] = 1
}

function third(header, files) {
    thirds[header] = files
}

function is_live(path) {
    return path ~ /^certs\/(rotator|injector|watcher)/
}

# The layer of a file of ours.
function layer_of(path,    parts) {
    if (is_live(path)) return "certs_live"
    split(path, parts, "/")
    return parts[1]
}

function bad(file, line, text) {
    printf "%s:%d: %s\n", file, line, text
    failures++
}

# Layers that a public header belongs to: those with a source of its name; none for headers without one.
function learn(path,    parts, n, noun) {
    files[++count] = path
    known[path] = 1
    if (path !~ /\.c$/ || path ~ /^(tests|bench|examples)\//) return
    n = split(path, parts, "/")
    noun = parts[n]
    sub(/\.c$/, "", noun)
    # These have one public header at most, and private nouns named as public ones of others are.
    if (path ~ /^apiserver\// && noun != "apiserver" || path ~ /^kinds\//) return
    owners[noun] = owners[noun] " " layer_of(path)
}

function may_use_public(layer, header,    noun, n, parts, i) {
    noun = header
    sub(/^cleat\//, "", noun)
    sub(/\.(h|def)$/, "", noun)
    n = split(owners[noun], parts, " ")
    for (i = 1; i <= n; i++) if ((layer, parts[i]) in allowed) return 1
    return n == 0
}

function check_third(file, line, header,    name) {
    for (name in thirds) {
        if (index(header, name) == 1 && file !~ thirds[name])
            bad(file, line, "<" header "> isn\x27t for this file")
    }
}

function check_ours(file, line, header, layer,    target) {
    if (layer == "examples" || layer == "include") {
        bad(file, line, "\"" header "\": only public headers here")
    } else if ((header in known) && (layer in layers)) {
        target = layer_of(header)
        if (!((layer, target) in allowed)) bad(file, line, layer " may not use \"" header "\"")
    } else if (header !~ /\// && header !~ /\.def$/ && layer != "tests" && layer != "bench") {
        bad(file, line, "\"" header "\": name it with its folder")
    }
}

function check_public(file, line, header, layer,    noun, n, parts, i, fine) {
    if (!(("include/" header) in known)) {
        bad(file, line, "<" header "> doesn\x27t exist")
    } else if (header == "cleat/cleat.h" && layer != "examples" && layer != "tests" && layer != "bench") {
        bad(file, line, "<cleat/cleat.h> is for users; name the headers")
    } else if (layer in layers) {
        if (!may_use_public(layer, header)) bad(file, line, layer " may not use <" header ">")
    } else if (layer == "include" && file != "include/cleat/cleat.h") {
        # A public header reaches no higher than the folder of its own source.
        noun = file
        sub(/^include\/cleat\//, "", noun)
        sub(/\.h$/, "", noun)
        n = split(owners[noun], parts, " ")
        fine = n == 0
        for (i = 1; i <= n; i++) fine = fine || may_use_public(parts[i], header)
        if (!fine) bad(file, line, "reaches above its layer for <" header ">")
    }
}

function check_file(file,    text, line, header, layer) {
    layer = file ~ /^include\// ? "include" : layer_of(file)
    while ((getline text < file) > 0) {
        line++
        if (text !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) continue
        header = text
        sub(/^[^<"]*[<"]/, "", header)
        sub(/[>"].*$/, "", header)
        if (text ~ /</ && header ~ /^cleat\//) check_public(file, line, header, layer)
        else if (text ~ /</) check_third(file, line, header)
        else check_ours(file, line, header, layer)
    }
    close(file)
}

{ learn($0) }

END {
    for (i = 1; i <= count; i++) check_file(files[i])
    printf "layers: %d files, %d problems\n", count, failures
    exit failures > 0
}'
