# SPDX-License-Identifier: Apache-2.0
# Tests mirror the tree: tests/unit/<folder>/test_<noun>.c is one program and one ctest case that links
# its own layer alone; tests/integration, tests/fault and the like link everything.
file(GLOB CLEAT_SUPPORT CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
if(CLEAT_SUPPORT)
    add_library(cleat_support STATIC ${CLEAT_SUPPORT})
    target_include_directories(cleat_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(cleat_support PUBLIC cleat_base PkgConfig::CHECK)
else()
    add_library(cleat_support INTERFACE)
    target_include_directories(cleat_support INTERFACE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(cleat_support INTERFACE cleat_base PkgConfig::CHECK)
endif()

function(cleat_test_dir dir prefix timeout_s)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${dir}/test_*.c)
    foreach(source ${sources})
        get_filename_component(stem ${source} NAME_WE)
        string(REGEX REPLACE "^test_" "" noun ${stem})
        set(target ${prefix}_${stem})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE cleat_support ${ARGN})
        target_compile_definitions(${target} PRIVATE
            CLEAT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CLEAT_BINARY_DIR="${CMAKE_BINARY_DIR}")
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_test(NAME ${dir}/${noun} COMMAND ${target})
        set_tests_properties(${dir}/${noun} PROPERTIES TIMEOUT ${timeout_s} LABELS ${prefix}
            ENVIRONMENT "CK_DEFAULT_TIMEOUT=${timeout_s};CK_FORK=no")
    endforeach()
endfunction()

foreach(layer base value kube client controller webhooks apiserver server)
    cleat_test_dir(unit/${layer} ${layer} 60 cleat_${layer})
endforeach()
cleat_test_dir(unit/certs certs 60 cleat_certs cleat_certs_live)
cleat_test_dir(unit/kinds/mirror kinds 60 cleat_kinds)
cleat_test_dir(integration integration 120 cleat_server)
cleat_test_dir(fault fault 300 cleat_server)
