# SPDX-License-Identifier: Apache-2.0
# `cpack --preset release` makes two Debian packages of a finished build: equant-cli and equant.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL console)
if(EQUANT_DESKTOP)
    list(APPEND CPACK_COMPONENTS_ALL desktop)
endif()
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE equant)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "Equant developers <equant@users.noreply.github.com>")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # else it would come before the first line of the descriptions
set(CPACK_DEBIAN_CONSOLE_PACKAGE_NAME equant-cli)
set(CPACK_DEBIAN_CONSOLE_DESCRIPTION "quantize and compress neural networks on the command line
equant-cli makes trained neural networks (ONNX files) ready for fixed-point
hardware: weight ranges, cross-layer equalization, compression by SVD and
channel pruning, simulated quantized inference on your own data, export of
QDQ ONNX and encodings. Results are text, or JSON for scripts.
.
This package also holds the sample model with its pictures, and the
documentation.")
set(CPACK_DEBIAN_DESKTOP_PACKAGE_NAME equant)
# The sample is in equant-cli, and the commands that the window copies are for it.
set(CPACK_DEBIAN_DESKTOP_PACKAGE_DEPENDS "equant-cli (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DESKTOP_DESCRIPTION "desktop workbench that quantizes and compresses neural networks
Equant makes trained neural networks (ONNX files) ready for fixed-point
hardware. It shows weight ranges per channel before and after cross-layer
equalization, compresses layers by SVD and channel pruning, simulates
quantized inference on your own data, and exports QDQ ONNX, encodings and
reports. Everything can be undone and copied as a command for equant-cli.")
include(CPack)
