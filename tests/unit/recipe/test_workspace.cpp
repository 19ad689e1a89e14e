// SPDX-License-Identifier: Apache-2.0
// Workspaces: there and back, paths that move with the file, refusals, and recipes taken for workspaces.
#include <QTemporaryDir>
#include <QTest>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/workspace.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_workspace {

using namespace equant;
namespace fs = std::filesystem;

namespace {

CompressStep compression(const std::string& layer) {
    CompressStep step;
    step.plan.choices = {{layer, CompressionMethod::WeightSvd, 0.5, 3, true}};
    step.data = "/home/me/pictures";
    step.preprocess = "/home/me/work/net.preprocess.json";
    step.samples = 40;
    return step;
}

Workspace sample() {
    Workspace workspace;
    workspace.model = "/home/me/work/net.onnx";
    workspace.modelHash = "abc";
    workspace.data = {"/home/me/pictures", "/home/me/more", "imagenet", 70, 0};
    workspace.recipe.steps = {compression("conv1"), EqualizeStep{}, QuantizeStep{}};
    workspace.draft = compression("conv2");
    return workspace;
}

void compareWorkspaces(const Workspace& a, const Workspace& b) {
    QCOMPARE(a.model, b.model);
    QCOMPARE(a.modelHash, b.modelHash);
    QCOMPARE(a.data.path, b.data.path);
    QCOMPARE(a.data.evaluationPath, b.data.evaluationPath);
    QCOMPARE(a.data.preprocess, b.data.preprocess);
    QCOMPARE(a.data.calibrationSamples, b.data.calibrationSamples);
    QCOMPARE(a.data.evaluationSamples, b.data.evaluationSamples);
    QVERIFY(a.recipe == b.recipe);
    QVERIFY(a.draft == b.draft);
}

}  // namespace

class TestWorkspace : public QObject {
    Q_OBJECT

private slots:
    void comesBack() {
        const auto again = parseWorkspace(toJson(sample(), "/home/me/work"), "/home/me/work");
        QVERIFY2(again, again ? "" : describe(again.error()).c_str());
        compareWorkspaces(*again, sample());
        Workspace plain;
        plain.model = "/m.onnx";
        const auto bare = parseWorkspace(toJson(plain, "/elsewhere"), "/elsewhere");
        QVERIFY(bare);
        compareWorkspaces(*bare, plain);
    }

    void pathsMoveWithTheFile() {
        const std::string text = toJson(sample(), "/home/me/work");
        QVERIFY2(text.find("/home/me") == std::string::npos, text.c_str());
        const auto moved = parseWorkspace(text, "/mnt/you/work");
        QVERIFY(moved);
        QCOMPARE(moved->model, std::string("/mnt/you/work/net.onnx"));
        QCOMPARE(moved->data.path, std::string("/mnt/you/pictures"));
        QCOMPARE(moved->data.preprocess, std::string("imagenet"));
        QCOMPARE(moved->recipe.compressStep()->data, std::string("/mnt/you/pictures"));
        QCOMPARE(moved->draft->preprocess, std::string("/mnt/you/work/net.preprocess.json"));
    }

    void draftsCountWhereNothingIsApplied() {
        Workspace workspace = sample();
        QVERIFY(workspace.whole() == workspace.recipe);
        workspace.recipe.steps.erase(workspace.recipe.steps.begin());
        QCOMPARE(workspace.whole().steps.size(), std::size_t(3));
        QVERIFY(*workspace.whole().compressStep() == *workspace.draft);
        workspace.draft.reset();
        QVERIFY(!workspace.whole().compressStep());
    }

    void whatIsSaidCounts() {
        const auto alone = withInputs(sample(), {});
        QVERIFY(alone && !alone->data.replacesNamed);
        compareWorkspaces(*alone, sample());
        const auto said = withInputs(sample(), {.model = "m.onnx", .data = "d", .calibrationSamples = 0});
        QVERIFY(said && said->data.replacesNamed);
        QCOMPARE(said->model, std::string("m.onnx"));
        QCOMPARE(said->data.path, std::string("d"));
        QVERIFY(said->data.evaluationPath.empty());  // what was to be scored belongs to the other samples
        QCOMPARE(said->data.calibrationSamples, std::size_t(0));
        Workspace recipe;
        QVERIFY(!withInputs(recipe, {.data = "d"}));
        const auto carried = withInputs(recipe, {.model = "m.onnx", .evaluationData = "e"});
        QVERIFY(carried && carried->data.replacesNamed && carried->data.evaluationPath == "e");
    }

    void knowsItsModel() {
        test::ModelBuilder builder;
        const Model model = builder.input("x", {1, 2}).node("Relu", {"x"}, {"y"}).output("y", {1, 2}).build();
        Workspace workspace;
        QVERIFY(!workspace.isOutdated(model));
        workspace.modelHash = contentHash(model);
        QVERIFY(!workspace.isOutdated(model));
        Model other = model;
        other.graph.nodes[0].opType = "Sigmoid";
        QVERIFY(workspace.isOutdated(other));
    }

    void refuses_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("says");
        QTest::newRow("no JSON") << QByteArray("hello") << QByteArray("not a workspace");
        QTest::newRow("a recipe") << QByteArray(R"({"steps": []})") << QByteArray("not a workspace");
        QTest::newRow("newer") << QByteArray(R"({"equant_workspace": 2})") << QByteArray("newer version");
        QTest::newRow("no model") << QByteArray(R"({"equant_workspace": 1, "recipe": {"steps": []}})")
                                  << QByteArray("path");
        QTest::newRow("wrong type") << QByteArray(
                                           R"({"equant_workspace": 1, "model": {"path": 3}, "recipe": {"steps": []}})")
                                    << QByteArray("wrong field");
        QTest::newRow("no recipe") << QByteArray(R"({"equant_workspace": 1, "model": {"path": "m"}})")
                                   << QByteArray("recipe");
        QTest::newRow("unknown step")
            << QByteArray(R"({"equant_workspace": 1, "model": {"path": "m"}, "recipe": {"steps": [{"step": "fly"}]}})")
            << QByteArray("fly");
        QTest::newRow("unknown draft")
            << QByteArray(
                   R"({"equant_workspace": 1, "model": {"path": "m"}, "recipe": {"steps": []},
                                                  "draft": {"step": "fly"}})")
            << QByteArray("fly");
    }
    void refuses() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, says);
        const auto workspace = parseWorkspace(text.toStdString(), "/");
        QVERIFY(!workspace);
        QVERIFY2(describe(workspace.error()).find(says.toStdString()) != std::string::npos,
                 describe(workspace.error()).c_str());
    }

    void readsEither() {
        QTemporaryDir folder;
        const fs::path place = folder.path().toStdString();
        QVERIFY(writeFileAtomic(place / "w.equant", toJson(sample(), place)));
        QVERIFY(writeFileAtomic(place / "r.json", toJson(sample().recipe)));
        QVERIFY(writeFileAtomic(place / "bad.json", "[]"));
        const auto workspace = readWorkspaceOrRecipe(place / "w.equant");
        QVERIFY(workspace);
        compareWorkspaces(*workspace, sample());
        const auto recipe = readWorkspaceOrRecipe(place / "r.json");
        QVERIFY(recipe && recipe->model.empty() && recipe->recipe == sample().recipe);
        const auto bad = readWorkspaceOrRecipe(place / "bad.json");
        QVERIFY(!bad && bad.error().subject.find("bad.json") != std::string::npos);
        QVERIFY(!readWorkspaceOrRecipe(place / "missing.equant"));
    }
};

EQUANT_TEST(TestWorkspace)
}  // namespace test_workspace

#include "test_workspace.moc"
