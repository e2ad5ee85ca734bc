# SPDX-License-Identifier: Apache-2.0
# What is installed: libcleat (shared and static) made of the layers that a controller or webhook needs,
# libcleat-apiserver for tests, the public headers, pkg-config files and a CMake package.
include(CMakePackageConfigHelpers)

set(CLEAT_LIBRARY_LAYERS base value kube client webhooks controller certs certs_live http)
set(CLEAT_APISERVER_LAYERS base value kube client certs)

# cleat_objects(VAR layers): the objects of those layers that have sources by now.
function(cleat_objects var)
    set(objects)
    foreach(layer ${ARGN})
        get_target_property(type cleat_${layer} TYPE)
        if(NOT type STREQUAL "INTERFACE_LIBRARY")
            list(APPEND objects $<TARGET_OBJECTS:cleat_${layer}>)
        endif()
    endforeach()
    set(${var} ${objects} PARENT_SCOPE)
endfunction()

function(cleat_third_of var)
    set(third)
    foreach(layer ${ARGN})
        list(APPEND third ${CLEAT_THIRD_${layer}})
    endforeach()
    list(REMOVE_DUPLICATES third)
    set(${var} ${third} PARENT_SCOPE)
endfunction()

function(cleat_shared_library target name export third)
    target_link_libraries(${target} PRIVATE cleat_settings ${third} m)
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} EXPORT_NAME ${export}
        VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)
    if(NOT CLEAT_SANITIZE)
        target_link_options(${target} PRIVATE -Wl,--no-undefined)
    endif()
endfunction()

cleat_objects(objects ${CLEAT_LIBRARY_LAYERS})
cleat_third_of(third ${CLEAT_LIBRARY_LAYERS})
add_library(cleat_shared SHARED ${objects})
cleat_shared_library(cleat_shared cleat cleat "${third}")
add_library(cleat_static STATIC ${objects})
set_target_properties(cleat_static PROPERTIES OUTPUT_NAME cleat LINKER_LANGUAGE C)
set(CLEAT_INSTALLED cleat_shared)

# The embedded API server brings the internals that it uses along, hidden: it shares no state with libcleat.
cleat_objects(apiserver_objects apiserver)
if(apiserver_objects)
    cleat_third_of(third ${CLEAT_APISERVER_LAYERS} apiserver)
    add_library(cleat_apiserver_shared SHARED ${apiserver_objects})
    cleat_shared_library(cleat_apiserver_shared cleat-apiserver apiserver "${third}")
    set(script ${PROJECT_SOURCE_DIR}/cmake/apiserver.map)
    target_link_options(cleat_apiserver_shared PRIVATE -Wl,--version-script=${script})
    set_target_properties(cleat_apiserver_shared PROPERTIES LINK_DEPENDS ${script})
    foreach(layer IN ITEMS certs client kube value base)
        target_link_libraries(cleat_apiserver_shared PRIVATE cleat_${layer})
    endforeach()
    list(APPEND CLEAT_INSTALLED cleat_apiserver_shared)
endif()

install(TARGETS ${CLEAT_INSTALLED} EXPORT cleat-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS cleat_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/cleat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.def")

# pkg-config. Relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH CLEAT_PC_PREFIX
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
foreach(pc cleat cleat-apiserver)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/${pc}.pc.in ${CMAKE_BINARY_DIR}/${pc}.pc @ONLY)
    if(pc STREQUAL "cleat" OR TARGET cleat_apiserver_shared)
        install(FILES ${CMAKE_BINARY_DIR}/${pc}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
    endif()
endforeach()

# find_package(cleat) gives cleat::cleat and, where it was built, cleat::apiserver.
set(CLEAT_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/cleat)
install(EXPORT cleat-targets NAMESPACE cleat:: DESTINATION ${CLEAT_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/cleat-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/cleat-config.cmake
    ${CMAKE_BINARY_DIR}/cleat-config-version.cmake DESTINATION ${CLEAT_CMAKE_DIR})
