# SPDX-License-Identifier: Apache-2.0
# The server's binary and the benchmarks: one program per source file.
if(EXISTS ${PROJECT_SOURCE_DIR}/server/main.c)
    add_executable(cleat ${PROJECT_SOURCE_DIR}/server/main.c)
    target_link_libraries(cleat PRIVATE cleat_server)
endif()

if(CLEAT_BENCH)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/bench_*.c)
    foreach(source ${benches})
        get_filename_component(stem ${source} NAME_WE)
        string(REPLACE "bench_" "" name ${stem})
        add_executable(${stem} ${source})
        target_link_libraries(${stem} PRIVATE cleat_server)
        set_target_properties(${stem} PROPERTIES OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    endforeach()
endif()
