// SPDX-License-Identifier: Apache-2.0
// main() of every test program; EQUANT_GUI_TESTS makes it a program with windows.
#ifdef EQUANT_GUI_TESTS
#include <QApplication>
using Application = QApplication;
#else
#include <QCoreApplication>
using Application = QCoreApplication;
#endif

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/registry.h"

namespace equant::test {

namespace {

std::map<std::string, TestFunction>& tests() {
    static std::map<std::string, TestFunction> all;
    return all;
}

}  // namespace

bool registerTest(std::string_view sourceFile, TestFunction run) {
    return tests().emplace(std::filesystem::path(sourceFile).stem().string(), run).second;
}

}  // namespace equant::test

int main(int argc, char** argv) {
    ::setenv("EQUANT_CACHE", "", 1);  // results of earlier runs would hide faults; tests of the store choose a file
    const Application application(argc, argv);
    auto& all = equant::test::tests();
    if (argc < 2) {
        int failed = 0;
        for (const auto& [name, run] : all) failed += run(1, argv);
        return failed;
    }
    const auto found = all.find(argv[1]);
    if (found == all.end()) {
        std::fprintf(stderr, "There is no test %s here. Tests:\n", argv[1]);
        for (const auto& [name, run] : all) std::fprintf(stderr, "  %s\n", name.c_str());
        return 2;
    }
    std::vector<char*> rest{argv[0]};
    rest.insert(rest.end(), argv + 2, argv + argc);
    rest.push_back(nullptr);
    return found->second(static_cast<int>(rest.size()) - 1, rest.data());
}
