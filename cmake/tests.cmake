# SPDX-License-Identifier: Apache-2.0
# Tests mirror the tree: tests/unit/<folder>/test_<noun>.c is one program and one ctest case that links
# its own layer alone; tests/integration links everything.
set(CLEAT_TOOLS ${PROJECT_SOURCE_DIR}/tools)
# Sanitizers and their suppressions, one reason per line; harmless in other builds.
set(CLEAT_TEST_ENVIRONMENT "CK_FORK=no"
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "LSAN_OPTIONS=suppressions=${CLEAT_TOOLS}/lsan.supp:print_suppressions=0"
    "TSAN_OPTIONS=suppressions=${CLEAT_TOOLS}/tsan.supp:halt_on_error=1:second_deadlock_stack=1")

file(GLOB CLEAT_SUPPORT CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
add_library(cleat_support STATIC ${CLEAT_SUPPORT})
target_include_directories(cleat_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
# The scripted server of the client's tests speaks TLS by OpenSSL; nothing of the product links it.
pkg_check_modules(CLEAT_TESTS_SSL REQUIRED IMPORTED_TARGET openssl)
target_link_libraries(cleat_support PUBLIC cleat_base PkgConfig::CHECK PkgConfig::CLEAT_TESTS_SSL)

function(cleat_test_dir dir prefix timeout_s)
    if(CLEAT_SANITIZE)
        math(EXPR timeout_s "${timeout_s} * 4")
    endif()
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
        if(TARGET ${prefix}_entries)
            add_dependencies(${prefix}_entries ${target})
        endif()
        add_test(NAME ${dir}/${noun} COMMAND ${target})
        set_tests_properties(${dir}/${noun} PROPERTIES TIMEOUT ${timeout_s} LABELS ${prefix}
            ENVIRONMENT "CK_DEFAULT_TIMEOUT=${timeout_s};${CLEAT_TEST_ENVIRONMENT}")
    endforeach()
endfunction()

foreach(layer base value kube client controller webhooks apiserver server)
    cleat_test_dir(unit/${layer} ${layer} 60 cleat_${layer})
endforeach()
cleat_test_dir(unit/support support 60)
cleat_test_dir(unit/certs certs 60 cleat_certs cleat_certs_live)
cleat_test_dir(unit/kinds/mirror kinds 60 cleat_kinds)
cleat_test_dir(integration integration 120 cleat_server)
# Faults on purpose: long ones, so a lane of their own (`make faults`).
add_custom_target(fault_entries)
cleat_test_dir(fault fault 300 cleat_server)
# Load says nothing beside other load.
foreach(noun edge_load edge_slow)
    if(TEST fault/${noun})
        set_tests_properties(fault/${noun} PROPERTIES RUN_SERIAL TRUE)
    endif()
endforeach()
# System calls that fail: preloaded into programs, so that it has no sanitizer of its own.
add_library(cleat_shim MODULE EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/fault/shim.c)
target_include_directories(cleat_shim PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(cleat_shim PRIVATE _GNU_SOURCE)
target_compile_options(cleat_shim PRIVATE -std=gnu11 -Wall -Wextra -Wno-unused-parameter -fPIC)
target_link_libraries(cleat_shim PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(cleat_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
file(GLOB shimmed CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fault/test_syscall*.c)
foreach(source ${shimmed})
    get_filename_component(stem ${source} NAME_WE)
    add_dependencies(fault_${stem} cleat_shim cleat)
endforeach()
# This one starts programs of the build.
if(TARGET integration_test_examples)
    add_dependencies(integration_test_examples example_controller example_elect example_webhook)
endif()

# Fuzz entries. With libFuzzer a program each, run by `make fuzz`; else they replay tests/fuzz/<entry>/ and some
# damaged copies of each seed.
file(GLOB entries CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
add_custom_target(fuzz_entries)
foreach(source ${entries})
    get_filename_component(target ${source} NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" entry ${target})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    target_link_libraries(${target} PRIVATE cleat_server cleat_certs)
    add_dependencies(fuzz_entries ${target})
    if(CLEAT_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/driver.c)
        add_test(NAME fuzz/${entry}
            COMMAND ${target} --mutate 300 ${PROJECT_SOURCE_DIR}/tests/fuzz/${entry})
        set_tests_properties(fuzz/${entry} PROPERTIES TIMEOUT 120 LABELS fuzz
            ENVIRONMENT "${CLEAT_TEST_ENVIRONMENT}")
    endif()
endforeach()

# Each public header alone, as strict C11 and, where there is a compiler for it, as C++.
find_program(CLEAT_CXX NAMES c++ g++ clang++)
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/cleat/*.h)
foreach(header ${headers})
    get_filename_component(noun ${header} NAME_WE)
    add_test(NAME headers/c/${noun} COMMAND ${CMAKE_C_COMPILER} -std=c11 -pedantic -Wall -Wextra
        -Wstrict-prototypes -Werror -fsyntax-only -I${PROJECT_SOURCE_DIR}/include
        -include ${header} ${PROJECT_SOURCE_DIR}/tests/headers/empty.c)
    set_tests_properties(headers/c/${noun} PROPERTIES TIMEOUT 30 LABELS check)
    if(CLEAT_CXX)
        add_test(NAME headers/cxx/${noun} COMMAND ${CLEAT_CXX} -std=c++17 -Wall -Wextra -Werror
            -fsyntax-only -I${PROJECT_SOURCE_DIR}/include -include ${header}
            -x c++ ${PROJECT_SOURCE_DIR}/tests/headers/empty.c)
        set_tests_properties(headers/cxx/${noun} PROPERTIES TIMEOUT 30 LABELS check)
    endif()
endforeach()

# Checks of the tree itself, and of the checks.
function(cleat_check name)
    add_test(NAME check/${name} COMMAND ${ARGN})
    set_tests_properties(check/${name} PROPERTIES TIMEOUT 120 LABELS check)
endfunction()
cleat_check(layers ${CLEAT_TOOLS}/check-layers.sh)
cleat_check(docs ${CLEAT_TOOLS}/check-docs.sh)
cleat_check(style ${CLEAT_TOOLS}/check-style.sh)
cleat_check(locks ${CLEAT_TOOLS}/check-locks.sh)
cleat_check(readme ${CLEAT_TOOLS}/check-readme.sh)
cleat_check(manifests ${CLEAT_TOOLS}/check-manifests.sh $<TARGET_FILE:cleat>)
cleat_check(monitoring ${CLEAT_TOOLS}/check-monitoring.sh)
cleat_check(tools_monitoring ${PROJECT_SOURCE_DIR}/tests/tools/monitoring.sh)
set_tests_properties(check/monitoring check/tools_monitoring PROPERTIES SKIP_RETURN_CODE 77)
cleat_check(tools ${PROJECT_SOURCE_DIR}/tests/tools/check.sh)
cleat_check(tools_faults ${PROJECT_SOURCE_DIR}/tests/tools/faults.sh)

# The commands that the demo prints, by a real kubectl where there is one.
add_test(NAME kubectl/demo
    COMMAND ${PROJECT_SOURCE_DIR}/tests/kubectl/demo.sh $<TARGET_FILE:cleat> ${PROJECT_SOURCE_DIR})
set_tests_properties(kubectl/demo PROPERTIES TIMEOUT 240 LABELS kubectl SKIP_RETURN_CODE 77
    ENVIRONMENT "${CLEAT_TEST_ENVIRONMENT}")
# A real Prometheus on the server, where there is one.
add_test(NAME kubectl/prometheus
    COMMAND ${PROJECT_SOURCE_DIR}/tests/kubectl/prometheus.sh $<TARGET_FILE:cleat> ${PROJECT_SOURCE_DIR})
set_tests_properties(kubectl/prometheus PROPERTIES TIMEOUT 240 LABELS kubectl SKIP_RETURN_CODE 77
    ENVIRONMENT "${CLEAT_TEST_ENVIRONMENT}")

# The program in nothing but the image's files. Sanitizers would need /proc and more.
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT CLEAT_SANITIZE)
    add_test(NAME image COMMAND ${PROJECT_SOURCE_DIR}/tests/image/check.sh $<TARGET_FILE:cleat> ${PROJECT_SOURCE_DIR})
    set_tests_properties(image PROPERTIES TIMEOUT 240 LABELS image SKIP_RETURN_CODE 77
        ENVIRONMENT "${CLEAT_TEST_ENVIRONMENT}")
endif()

# The libraries as users get them. Sanitizers would need their run time in the user's program.
if(NOT CLEAT_SANITIZE)
    cleat_check(exports/libcleat ${CLEAT_TOOLS}/check-exports.sh
        $<TARGET_FILE:cleat_shared> ${PROJECT_SOURCE_DIR}/tests/exports/libcleat.list)
    if(TARGET cleat_apiserver_shared)
        cleat_check(exports/libcleat-apiserver ${CLEAT_TOOLS}/check-exports.sh
            $<TARGET_FILE:cleat_apiserver_shared>
            ${PROJECT_SOURCE_DIR}/tests/exports/libcleat-apiserver.list)
    endif()
    cleat_check(install ${PROJECT_SOURCE_DIR}/tests/install/check.sh
        ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER})
endif()
