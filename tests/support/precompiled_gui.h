// SPDX-License-Identifier: GPL-3.0-or-later
// Headers that nearly every test of the window includes, parsed once. Include what a file needs all the same.
#include <QtTest>
#include <QtWidgets>
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "app/desktop/document/document.h"
