# SPDX-License-Identifier: Apache-2.0
# Finds the three OpenCV libraries that core/data uses by their headers and libraries. OpenCV's own CMake package comes
# only with libopencv-dev, whose dependencies (VTK, GDAL, Qt 5, MPI ...) are several hundred megabytes.
# Defines the imported target OpenCV::<component> for each requested component.
find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(OpenCV_REQUIRED_FILES OpenCV_INCLUDE_DIR)
foreach(component ${OpenCV_FIND_COMPONENTS})
    find_library(OpenCV_${component}_LIBRARY opencv_${component})
    list(APPEND OpenCV_REQUIRED_FILES OpenCV_${component}_LIBRARY)
endforeach()
if(OpenCV_INCLUDE_DIR)
    file(STRINGS ${OpenCV_INCLUDE_DIR}/opencv2/core/version.hpp versions REGEX "#define CV_VERSION_(MAJOR|MINOR|REVISION) +[0-9]+")
    string(REGEX MATCHALL "[0-9]+" versions "${versions}")
    list(JOIN versions "." OpenCV_VERSION)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCV REQUIRED_VARS ${OpenCV_REQUIRED_FILES} VERSION_VAR OpenCV_VERSION)
if(OpenCV_FOUND)
    foreach(component ${OpenCV_FIND_COMPONENTS})
        if(NOT TARGET OpenCV::${component})
            add_library(OpenCV::${component} UNKNOWN IMPORTED)
            set_target_properties(OpenCV::${component} PROPERTIES
                IMPORTED_LOCATION ${OpenCV_${component}_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${OpenCV_INCLUDE_DIR})
        endif()
    endforeach()
endif()
mark_as_advanced(${OpenCV_REQUIRED_FILES})
