# SPDX-License-Identifier: Apache-2.0
# equant_options: what every target of ours is compiled with.
add_library(equant_options INTERFACE)
target_compile_options(equant_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor)
# g++ 12 warns falsely about "literal" + string (GCC bug 105329).
target_compile_options(equant_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(EQUANT_WERROR)
    target_compile_options(equant_options INTERFACE -Werror)
endif()
if(EQUANT_SANITIZE)
    target_compile_options(equant_options INTERFACE -fsanitize=${EQUANT_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(equant_options INTERFACE -fsanitize=${EQUANT_SANITIZE})
endif()
# -O3 is for the loops of the engine (core/CMakeLists.txt); elsewhere it only makes compiling slower.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
target_include_directories(equant_options INTERFACE ${PROJECT_SOURCE_DIR})

# Compiles the files of each folder of a target together where CMAKE_UNITY_BUILD is on (preset "release"): most of a cold
# build is reading headers and generating the same templates again. Names in anonymous namespaces are unique per folder.
function(equant_compile_by_folder target)
    get_target_property(sources ${target} SOURCES)
    foreach(source ${sources})
        if(source MATCHES "\\.cpp$")
            cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE path)
            cmake_path(GET path PARENT_PATH folder)
            string(MAKE_C_IDENTIFIER "in_${folder}" group)
            set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
        endif()
    endforeach()
    set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
endfunction()
