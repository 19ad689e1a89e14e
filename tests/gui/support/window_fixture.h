// SPDX-License-Identifier: GPL-3.0-or-later
// What window tests share: settings of their own, a small model with very uneven channels, pictures to calibrate on.
#pragma once

#include <QDir>
#include <QImage>
#include <QSettings>
#include <QStandardPaths>
#include <QTemporaryDir>

#include "core/graph/onnx_io.h"
#include "tests/unit/support/model_builder.h"

namespace equant::test {

/// Settings go to a fresh folder, never to the user's.
class IsolatedSettings {
public:
    IsolatedSettings() {
        QStandardPaths::setTestModeEnabled(true);
        QSettings::setDefaultFormat(QSettings::IniFormat);
        QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_folder.path());
    }

private:
    QTemporaryDir m_folder;
};

/// conv - Clip(0, 6) - depthwise - Clip(0, 6) - conv - mean over the picture - 4 classes, for [N, 3, 8, 8].
inline Model unevenModel() {
    Tensor first = randomTensor({8, 3, 3, 3}, 1);
    auto values = first.mutableData<float>();
    for (std::size_t i = 0; i < 27; ++i) values[i] *= 100.0F;  // one channel a hundred times as wide
    ModelBuilder builder;
    builder.input("input", {-1, 3, 8, 8})
        .output("scores", {-1, 4})
        .constant("w1", std::move(first))
        .constant("b1", randomTensor({8}, 2))
        .constant("w2", randomTensor({8, 1, 3, 3}, 3))
        .constant("b2", randomTensor({8}, 4))
        .constant("w3", randomTensor({4, 8, 1, 1}, 5))
        .constant("b3", randomTensor({4}, 6))
        .constant("zero", Tensor(Shape{}, std::vector<float>{0.0F}))
        .constant("six", Tensor(Shape{}, std::vector<float>{6.0F}));
    const std::vector<std::int64_t> pads{1, 1, 1, 1};
    builder.node("Conv", {"input", "w1", "b1"}, {"c1"}, {{"pads", pads}})
        .node("Clip", {"c1", "zero", "six"}, {"a1"})
        .node("Conv", {"a1", "w2", "b2"}, {"c2"}, {{"pads", pads}, {"group", std::int64_t{8}}})
        .node("Clip", {"c2", "zero", "six"}, {"a2"})
        .node("Conv", {"a2", "w3", "b3"}, {"c3"})
        .node("GlobalAveragePool", {"c3"}, {"p"})
        .node("Flatten", {"p"}, {"scores"});
    Model model = builder.build();
    model.irVersion = 8;
    return model;
}

/// conv - ReLU - conv - ReLU - conv - ReLU - mean over the picture - Gemm, for [N, 3, 8, 8]: layers that can be split
/// and channels that can be pruned, small enough to be compressed many times in a second.
inline Model chainModel() {
    ModelBuilder builder;
    builder.input("input", {-1, 3, 8, 8}).output("scores", {-1, 4});
    const std::vector<std::int64_t> pads{1, 1, 1, 1};
    std::string value = "input";
    for (int i = 1; i <= 3; ++i) {
        const std::string n = std::to_string(i);
        const auto seed = static_cast<unsigned>(2 * i);
        builder.constant("w" + n, randomTensor({16, i == 1 ? 3 : 16, 3, 3}, seed))
            .constant("b" + n, randomTensor({16}, seed + 1))
            .node("Conv", {value, "w" + n, "b" + n}, {"c" + n}, {{"pads", pads}})
            .node("Relu", {"c" + n}, {"a" + n});
        value = "a" + n;
    }
    builder.constant("w4", randomTensor({4, 16}, 8))
        .constant("b4", randomTensor({4}, 9))
        .node("GlobalAveragePool", {value}, {"p"})
        .node("Flatten", {"p"}, {"f"})
        .node("Gemm", {"f", "w4", "b4"}, {"scores"}, {{"transB", std::int64_t{1}}});
    Model model = builder.build();
    model.irVersion = 8;
    return model;
}

inline QString writeChainModel(const QTemporaryDir& folder) {
    const QString path = folder.filePath(QStringLiteral("chain.onnx"));
    if (!writeOnnx(chainModel(), path.toStdString())) return {};
    return path;
}

/// Writes the model; returns its path.
inline QString writeModel(const QTemporaryDir& folder, const QString& name = QStringLiteral("uneven.onnx")) {
    const QString path = folder.filePath(name);
    if (!writeOnnx(unevenModel(), path.toStdString())) return {};
    return path;
}

/// Four class folders with `perClass` pictures of 8x8 each; returns the folder.
inline QString writePictures(const QTemporaryDir& folder, int perClass) {
    const QString root = folder.filePath(QStringLiteral("pictures"));
    std::minstd_rand random(7);
    for (int label = 0; label < 4; ++label) {
        const QString place = root + QStringLiteral("/%1_class").arg(label);
        QDir().mkpath(place);
        for (int i = 0; i < perClass; ++i) {
            QImage image(8, 8, QImage::Format_RGB888);
            for (int y = 0; y < 8; ++y)
                for (int x = 0; x < 8; ++x)
                    image.setPixelColor(x, y, QColor(int(random() % 256), int(random() % 256), label * 60));
            image.save(place + QStringLiteral("/%1.png").arg(i));
        }
    }
    return root;
}

}  // namespace equant::test
