# SPDX-License-Identifier: Apache-2.0
# The server's binary, the benchmarks and the examples: one program per source file.
if(EXISTS ${PROJECT_SOURCE_DIR}/server/main.c)
    add_executable(cleat ${PROJECT_SOURCE_DIR}/server/main.c)
    target_link_libraries(cleat PRIVATE cleat_server)
    install(TARGETS cleat RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

if(CLEAT_BENCH)
    # What the benchmarks share: every source of bench/ that isn't a program itself.
    file(GLOB bench_support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
    list(FILTER bench_support EXCLUDE REGEX "/bench_[^/]*\\.c$")
    if(bench_support)
        add_library(cleat_bench_support STATIC ${bench_support})
        target_link_libraries(cleat_bench_support PUBLIC cleat_base)
    else()
        add_library(cleat_bench_support INTERFACE)
    endif()
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/bench_*.c)
    foreach(source ${benches})
        get_filename_component(stem ${source} NAME_WE)
        string(REPLACE "bench_" "" name ${stem})
        add_executable(${stem} ${source})
        target_link_libraries(${stem} PRIVATE cleat_bench_support cleat_server)
        set_target_properties(${stem} PROPERTIES OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    endforeach()
endif()

# Examples see what a user's program sees: the shared libraries and the public headers.
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source ${examples})
    get_filename_component(name ${source} NAME_WE)
    add_executable(example_${name} ${source})
    target_link_libraries(example_${name} PRIVATE cleat_shared cleat_settings PkgConfig::JANSSON)
    file(STRINGS ${source} uses_apiserver REGEX "<cleat/apiserver\\.h>")
    if(uses_apiserver AND TARGET cleat_apiserver_shared)
        target_link_libraries(example_${name} PRIVATE cleat_apiserver_shared)
    endif()
    set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
endforeach()
