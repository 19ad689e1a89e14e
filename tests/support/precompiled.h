// SPDX-License-Identifier: Apache-2.0
// Headers that nearly every engine test includes, parsed once. Include what a file needs all the same.
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/data/dataset.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/runtime/exec/executor.h"
#include "tests/unit/support/model_builder.h"
