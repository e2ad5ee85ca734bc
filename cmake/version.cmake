# SPDX-License-Identifier: Apache-2.0
# What `cleat version` tells: the commit and the libraries that the build found.
find_package(Git QUIET)
set(CLEAT_COMMIT "unknown")
if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse --short=12 HEAD
        OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
        set(CLEAT_COMMIT "${commit}")
    endif()
endif()
set_source_files_properties(${PROJECT_SOURCE_DIR}/server/command_version.c PROPERTIES
    COMPILE_DEFINITIONS "CLEAT_COMMIT=\"${CLEAT_COMMIT}\";CLEAT_BUILT_WITH={\"libmicrohttpd\",\"${MICROHTTPD_VERSION}\"},{\"gnutls\",\"${GNUTLS_VERSION}\"},{\"libcurl\",\"${CURL_VERSION}\"},{\"openssl\",\"${CRYPTO_VERSION}\"},{\"jansson\",\"${JANSSON_VERSION}\"},{\"libyaml\",\"${YAML_VERSION}\"},{\"xxhash\",\"${XXHASH_VERSION}\"},{\"pcre2\",\"${PCRE2_VERSION}\"}")
