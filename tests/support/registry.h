// SPDX-License-Identifier: Apache-2.0
// Qt Test classes by name, so that one program holds the tests of a folder: `unit_graph test_tensor [Qt Test options]`.
// A program without arguments runs them all, one after the other.
#pragma once

#include <QTest>
#include <string_view>

namespace equant::test {

using TestFunction = int (*)(int argc, char** argv);

/// Adds a test class under the name of its source file without folder and ending. Called before main().
bool registerTest(std::string_view sourceFile, TestFunction run);

}  // namespace equant::test

/// Makes a Qt Test class one of the program's tests. Once per file, after the class.
#define EQUANT_TEST(Class)                                               \
    [[maybe_unused]] static const bool kIsRegistered##Class =            \
        equant::test::registerTest(__FILE__, [](int argc, char** argv) { \
            Class test;                                                  \
            return QTest::qExec(&test, argc, argv);                      \
        });
