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
target_include_directories(equant_options INTERFACE ${PROJECT_SOURCE_DIR})
