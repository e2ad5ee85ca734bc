# SPDX-License-Identifier: Apache-2.0
# Compiler settings and the function that makes a layer out of a folder.
add_library(cleat_settings INTERFACE)
target_compile_features(cleat_settings INTERFACE c_std_11)
target_compile_definitions(cleat_settings INTERFACE _GNU_SOURCE)
target_compile_options(cleat_settings INTERFACE
    -std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2
    -Wimplicit-fallthrough -Wno-unused-parameter -Wno-missing-field-initializers
    -fvisibility=hidden -fPIC -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # Texts are cut on purpose; what gcc guesses of their lengths differs with optimisation and sanitizers.
    target_compile_options(cleat_settings INTERFACE -Wno-format-truncation)
endif()
if(CLEAT_WERROR)
    target_compile_options(cleat_settings INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(cleat_settings INTERFACE CLEAT_DEBUG=1)
    target_compile_options(cleat_settings INTERFACE -Og -g)
else()
    target_compile_options(cleat_settings INTERFACE -O2 -g1)
endif()
# Assertions are for programmer errors and stay on in every build.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-O3" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
if(CLEAT_SANITIZE)
    target_compile_options(cleat_settings INTERFACE -fsanitize=${CLEAT_SANITIZE}
        -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(cleat_settings INTERFACE -fsanitize=${CLEAT_SANITIZE})
endif()
if(CLEAT_FUZZ)
    target_compile_options(cleat_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()
# Hardening; the same everywhere, so that no distribution's defaults bring other warnings.
target_compile_options(cleat_settings INTERFACE -fstack-protector-strong)
target_link_options(cleat_settings INTERFACE -Wl,-z,relro,-z,now)
if(NOT CLEAT_SANITIZE)
    target_compile_options(cleat_settings INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# What each layer may link besides our own layers.
set(CLEAT_THIRD_base Threads::Threads PkgConfig::XXHASH m)
set(CLEAT_THIRD_value PkgConfig::JANSSON)
set(CLEAT_THIRD_kube PkgConfig::YAML)
set(CLEAT_THIRD_client PkgConfig::CURL)
set(CLEAT_THIRD_certs PkgConfig::CRYPTO)
set(CLEAT_THIRD_apiserver PkgConfig::MICROHTTPD PkgConfig::PCRE2)
set(CLEAT_THIRD_http PkgConfig::MICROHTTPD PkgConfig::GNUTLS)

# certs/ is two targets: the pure one knows no I/O, the live one may use client and controller.
file(GLOB CLEAT_CERTS_LIVE CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/certs/rotator*.c
    ${PROJECT_SOURCE_DIR}/certs/injector*.c ${PROJECT_SOURCE_DIR}/certs/watcher*.c)
file(GLOB CLEAT_CERTS_PURE CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/certs/*.c)
if(CLEAT_CERTS_LIVE)
    list(REMOVE_ITEM CLEAT_CERTS_PURE ${CLEAT_CERTS_LIVE})
endif()

# server/ is two targets as well: its HTTP part, which is in the library, and the wiring of the program.
file(GLOB CLEAT_SERVER_HTTP CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/server/http*.c
    ${PROJECT_SOURCE_DIR}/server/server.c ${PROJECT_SOURCE_DIR}/server/tls*.c)
file(GLOB CLEAT_SERVER_REST CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/server/*.c)
list(REMOVE_ITEM CLEAT_SERVER_REST ${PROJECT_SOURCE_DIR}/server/main.c ${CLEAT_SERVER_HTTP})

# cleat_layer(NAME [DIR folder] [DEPS layers] [SOURCES files]): target cleat_NAME from every .c below the folder.
# A layer without sources yet is an interface target, so that the others can already name it.
function(cleat_layer name)
    cmake_parse_arguments(ARG "" "DIR" "DEPS;SOURCES" ${ARGN})
    if(NOT ARG_DIR)
        set(ARG_DIR ${name})
    endif()
    if(NOT DEFINED ARG_SOURCES AND NOT name MATCHES "^(certs|certs_live|http|server)$")
        file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${ARG_DIR}/*.c)
    endif()
    list(TRANSFORM ARG_DEPS PREPEND cleat_)
    if(ARG_SOURCES)
        add_library(cleat_${name} STATIC ${ARG_SOURCES})
        target_include_directories(cleat_${name} PUBLIC
            ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
        target_link_libraries(cleat_${name} PUBLIC ${ARG_DEPS} cleat_settings ${CLEAT_THIRD_${name}})
    else()
        add_library(cleat_${name} INTERFACE)
        target_include_directories(cleat_${name} INTERFACE
            ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
        target_link_libraries(cleat_${name} INTERFACE ${ARG_DEPS} cleat_settings ${CLEAT_THIRD_${name}})
    endif()
endfunction()
