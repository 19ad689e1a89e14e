# SPDX-License-Identifier: Apache-2.0
# Everything comes from the distribution; packaging/bootstrap.sh installs it.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED) # before ONNX, whose targets name it
find_package(ONNX REQUIRED)
find_package(dnnl REQUIRED)
find_package(OpenMP REQUIRED) # for the library only: it sets how many threads oneDNN uses
find_package(Eigen3 REQUIRED)
list(PREPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
# Through pkg-config: libzip's CMake package insists on its command-line tools.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
find_package(SQLite3 REQUIRED)
if(EQUANT_DESKTOP OR EQUANT_TESTS)
    find_package(Qt6 REQUIRED COMPONENTS Core Test)
endif()
if(EQUANT_DESKTOP)
    find_package(Qt6 REQUIRED COMPONENTS Gui Widgets PrintSupport Svg Concurrent)
    find_package(QCustomPlotQt6 REQUIRED)
endif()
