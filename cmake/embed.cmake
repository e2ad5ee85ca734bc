# SPDX-License-Identifier: Apache-2.0
# The install manifests are sources: they are compiled into the binary, so that `cleat manifests` and the demo use the very
# objects that deploy/ holds. cleat_embed(TARGET name files): struct cleat_embedded cleat_<name>[].
function(cleat_embed target name)
    set(generated ${CMAKE_BINARY_DIR}/generated/${name}.c)
    set(text "/* Made by the build. */\n#include \"server/embedded.h\"\n\nconst struct cleat_embedded cleat_${name}[] = {\n")
    foreach(file ${ARGN})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        file(READ ${file} bytes HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${bytes}")
        string(REGEX REPLACE "(................................................................................)" "\\1\"\n     \"" escaped "${escaped}")
        file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/deploy ${file})
        string(APPEND text "    {\"${path}\",\n     \"${escaped}\"},\n")
    endforeach()
    string(APPEND text "    {0, 0},\n};\n")
    file(CONFIGURE OUTPUT ${generated} CONTENT "${text}" @ONLY)
    target_sources(${target} PRIVATE ${generated})
    set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS "-Wno-overlength-strings")
endfunction()

if(TARGET cleat_server)
    set(manifests ${PROJECT_SOURCE_DIR}/deploy/base/namespace.yaml ${PROJECT_SOURCE_DIR}/deploy/base/rbac.yaml
        ${PROJECT_SOURCE_DIR}/deploy/base/webhooks.yaml ${PROJECT_SOURCE_DIR}/deploy/base/service.yaml
        ${PROJECT_SOURCE_DIR}/deploy/base/networkpolicy.yaml
        ${PROJECT_SOURCE_DIR}/deploy/base/poddisruptionbudget.yaml
        ${PROJECT_SOURCE_DIR}/deploy/overlays/cert-manager/certificate.yaml
        ${PROJECT_SOURCE_DIR}/deploy/overlays/monitoring/servicemonitor.yaml
        ${PROJECT_SOURCE_DIR}/deploy/base/deployment.yaml)
    if(EXISTS ${PROJECT_SOURCE_DIR}/deploy/crds.yaml)
        list(PREPEND manifests ${PROJECT_SOURCE_DIR}/deploy/crds.yaml)
    endif()
    cleat_embed(cleat_server manifests ${manifests})
endif()
