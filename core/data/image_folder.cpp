// SPDX-License-Identifier: Apache-2.0
// Folders of images: class sub-folders, a labels.csv, or images without labels.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <map>

#include "core/base/hash.h"
#include "core/data/dataset_internal.h"
#include "core/data/image_input_internal.h"
#include "core/data/labels_file_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

struct Entry {
    fs::path path;
    std::optional<std::int64_t> label;
    int line = 0;  ///< of the list that names it; 0: there is none
};

/// What was found at a path, before offset and limit.
struct Found {
    std::vector<Entry> entries;  ///< sorted by label, then path
    std::vector<std::string> classNames;
    std::string kind;
    fs::path list;  ///< empty: there is none
};

constexpr std::int64_t kMostNamedClasses = 1'000'000;

bool isImageFile(const fs::directory_entry& entry) {
    constexpr std::array<std::string_view, 14> kExtensions{".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".webp",
                                                           ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2"};
    const std::string file = entry.path().filename().string();
    if (file.starts_with('.') || !entry.is_regular_file()) return false;
    std::string extension = entry.path().extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::vector<fs::path> imagesIn(const fs::path& folder) {
    std::vector<fs::path> images;
    for (const auto& entry : fs::directory_iterator(folder))
        if (isImageFile(entry)) images.push_back(entry.path());
    std::sort(images.begin(), images.end());
    return images;
}

/// "7_dog" and "7" have the number 7.
std::optional<std::int64_t> leadingNumber(const std::string& text) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || number < 0 || number >= kMostNamedClasses || (stop != end && *stop != '_'))
        return std::nullopt;
    return number;
}

void setClassName(std::vector<std::string>& names, std::int64_t label, const std::string& className) {
    if (label < 0 || label >= kMostNamedClasses || className.empty()) return;
    if (names.size() <= static_cast<std::size_t>(label)) names.resize(static_cast<std::size_t>(label) + 1);
    names[static_cast<std::size_t>(label)] = className;
}

using Folders = std::map<std::string, std::vector<fs::path>>;  // name -> images, sorted

Found asClasses(const Folders& folders) {
    Found found;
    const bool isNumbered = std::all_of(folders.begin(), folders.end(),
                                        [](const auto& folder) { return leadingNumber(folder.first).has_value(); });
    std::int64_t next = 0;
    for (const auto& [folder, images] : folders) {
        const std::int64_t label = isNumbered ? leadingNumber(folder).value_or(0) : next++;
        const auto underscore = folder.find('_');
        const bool hasName = isNumbered && underscore != std::string::npos && underscore + 1 < folder.size();
        setClassName(found.classNames, label, hasName ? folder.substr(underscore + 1) : folder);
        for (const auto& image : images) found.entries.push_back({image, label, 0});
    }
    std::stable_sort(found.entries.begin(), found.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.label < b.label; });
    found.kind = fmt::format("{} class folders", folders.size());
    return found;
}

Result<Found> fromList(const fs::path& list) {
    const auto files = readLabelsFile(list);
    if (!files) return fail(files.error());
    Found found;
    for (const auto& file : *files) {
        found.entries.push_back({file.path, file.label, file.line});
        setClassName(found.classNames, file.label, file.className);
    }
    std::stable_sort(found.entries.begin(), found.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.label < b.label; });
    found.kind = list.filename().string();
    found.list = list;
    return found;
}

Result<Found> findImages(const fs::path& path) {
    Found found;
    if (!fs::is_directory(path)) {
        if (path.extension() == ".csv") return fromList(path);
        if (!isImageFile(fs::directory_entry(path)))
            return fail(ErrorCode::InvalidArgument, "This is no kind of data that can be read.",
                        "Give an image folder, an .npy or .npz file, or a folder of test_data_set_*.", path.string());
        found.entries.push_back({path, std::nullopt, 0});
        found.kind = "one image";
        return found;
    }
    if (fs::exists(path / "labels.csv")) return fromList(path / "labels.csv");

    const auto direct = imagesIn(path);
    Folders folders;
    std::string deeper;  // the first sub-folder, whatever it holds
    for (const auto& entry : fs::directory_iterator(path)) {
        const std::string folder = entry.path().filename().string();
        if (!entry.is_directory() || folder.starts_with('.')) continue;
        if (deeper.empty() || folder < deeper) deeper = folder;
        if (auto images = imagesIn(entry.path()); !images.empty()) folders.emplace(folder, std::move(images));
    }
    // A single sub-folder ("images") tells no classes apart, unless its name is a class number.
    const bool isClassed =
        direct.empty() && (folders.size() > 1 || (folders.size() == 1 && leadingNumber(folders.begin()->first)));
    if (isClassed) return asClasses(folders);
    for (const auto& image : direct) found.entries.push_back({image, std::nullopt, 0});
    for (const auto& [folder, images] : folders)
        for (const auto& image : images) found.entries.push_back({image, std::nullopt, 0});
    if (found.entries.empty())
        return fail(ErrorCode::InvalidArgument, "There are no images in this folder.",
                    deeper.empty() ? "Put images into it, or into one sub-folder per class."
                                   : fmt::format("Its sub-folder \"{}\" may be what you want.", deeper),
                    path.string());
    found.kind = "no labels";
    return found;
}

class ImageFolder final : public Dataset {
public:
    ImageFolder(fs::path root, Found found, Preprocessing preprocessing, const ValueInfo& input)
        : m_root(std::move(root)),
          m_found(std::move(found)),
          m_preprocessing(std::move(preprocessing)),
          m_input(input) {}

    [[nodiscard]] std::size_t size() const override { return m_found.entries.size(); }
    [[nodiscard]] bool hasLabels() const override { return m_found.entries.front().label.has_value(); }
    [[nodiscard]] std::optional<std::int64_t> label(std::size_t i) const override { return m_found.entries[i].label; }
    [[nodiscard]] std::vector<std::string> classNames() const override { return m_found.classNames; }
    [[nodiscard]] fs::path imagePath(std::size_t i) const override { return m_found.entries[i].path; }
    [[nodiscard]] std::string sampleName(std::size_t i) const override {
        return m_found.entries[i].path.lexically_relative(m_root).string();
    }

    [[nodiscard]] Result<Sample> load(std::size_t i) const override {
        if (i >= size()) return fail(ErrorCode::OutOfRange, fmt::format("There is no sample {}.", i));
        const Entry& entry = m_found.entries[i];
        const auto image = readImage(entry.path, m_preprocessing.channels);
        if (!image) return fail(image.error());
        auto tensor = preprocess(*image, m_preprocessing);
        if (!tensor) {
            Error error = tensor.error();
            error.subject = entry.path.string();
            return fail(std::move(error));
        }
        if (m_input.shape && !fitsShape(tensor->shape(), std::span(*m_input.shape).subspan(1)))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The image becomes {} but the model's input takes {}.", toString(tensor->shape()),
                                    shapeText(m_input)),
                        "Choose a preprocessing that resizes, such as imagenet or a file with \"resize\" and \"size\".",
                        entry.path.string());
        Sample sample;
        if (m_input.dtype != DType::Undefined && m_input.dtype != DType::Float)
            tensor = tensor->converted(m_input.dtype);
        if (!tensor) return fail(tensor.error());
        sample.inputs.push_back(std::move(*tensor));
        sample.label = entry.label;
        return sample;
    }

    [[nodiscard]] std::string describe() const override {
        return fmt::format("{} image{}, {}", size(), size() == 1 ? "" : "s", m_found.kind);
    }

    [[nodiscard]] std::string fingerprint() const override {
        Hasher hash;
        hash.add(toJson(m_preprocessing)).add(shapeText(m_input)).add(static_cast<std::int64_t>(m_input.dtype));
        hash.add(std::int64_t{m_preprocessing.isChannelsLast});
        for (std::size_t i = 0; i < size(); ++i) {
            const Entry& entry = m_found.entries[i];
            std::error_code error;  // a file that is gone counts as empty
            const auto bytes = fs::file_size(entry.path, error);
            const auto time = fs::last_write_time(entry.path, error).time_since_epoch().count();
            hash.add(sampleName(i)).add(entry.label.value_or(-1));
            hash.add(error ? std::int64_t{0} : static_cast<std::int64_t>(bytes)).add(static_cast<std::int64_t>(time));
        }
        return hash.hex();
    }

private:
    fs::path m_root;
    Found m_found;
    Preprocessing m_preprocessing;
    ValueInfo m_input;
};

}  // namespace

Result<OpenedDataset> openImages(const fs::path& path, const Model& model, const DatasetOptions& options) {
    const auto choice = choosePreprocessing(model, options.preprocess);
    if (!choice) return fail(choice.error());
    auto found = findImages(path);
    if (!found) return fail(found.error());

    const auto classes = classCount(model);
    std::vector<std::optional<std::int64_t>> labels;
    for (const auto& entry : found->entries) {
        const std::string subject =
            entry.line > 0 ? fmt::format("{}:{}", found->list.string(), entry.line) : entry.path.string();
        if (entry.label)
            if (auto checked = checkLabel(*entry.label, classes, subject); !checked) return fail(checked.error());
        labels.push_back(entry.label);
    }
    const auto chosen = selectSamples(labels, options, options.isSpread);
    if (!chosen) return fail(chosen.error());
    std::vector<Entry> entries;
    for (const std::size_t i : *chosen) entries.push_back(std::move(found->entries[i]));
    found->entries = std::move(entries);

    const bool isFolder = fs::is_directory(path);
    auto dataset = std::make_shared<ImageFolder>(isFolder ? path : path.parent_path(), std::move(*found),
                                                 choice->preprocessing, *model.graph.requiredInputs().front());
    return OpenedDataset{std::move(dataset), *choice};
}

}  // namespace equant
