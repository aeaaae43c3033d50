// hitless-conformance [--only DRIVER] [--doc FILE]: the matrix driver × property. The last line is
// the figure; exit 0 only when no cell is broken. --doc: FILE must hold this very matrix.
#include <fmt/format.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <sstream>

#include "world.hpp"

namespace hitless::conformance {
namespace {

struct Row {
  std::string driver, daemon;
  std::vector<Cell> cells;
};

Cell try_property(std::unique_ptr<World>& world, const WorldMaker& maker,
                  const Property& property) {
  Cell cell;
  try {
    if (!world) world = maker.make();
    auto can = world->capabilities();
    cell = can ? property.check(*world, *can)
               : Cell{Cell::Kind::broken, "capabilities: " + describe(can.error())};
  } catch (const std::exception& error) {
    cell = {Cell::Kind::broken, error.what()};
  }
  if (cell.kind == Cell::Kind::broken) world.reset();  // the next one starts afresh
  return cell;
}

Row run(const WorldMaker& maker) {
  Row row{maker.name, "", {}};
  std::unique_ptr<World> world;
  for (const Property& property : properties()) {
    row.cells.push_back(try_property(world, maker, property));
    if (world) row.daemon = world->daemon();
    const Cell& cell = row.cells.back();
    const char* word = cell.kind == Cell::Kind::holds          ? "holds"
                       : cell.kind == Cell::Kind::not_promised ? "not promised"
                       : cell.kind == Cell::Kind::none         ? "-"
                                                               : "BROKEN";
    fmt::print("{:<11} {:<15} {}{}{}\n", maker.name, property.name, word,
               cell.why.empty() ? "" : ": ", cell.why);
    std::fflush(stdout);
  }
  return row;
}

// The same lines on every machine: no versions, no times.
std::string matrix(const std::vector<Row>& rows) {
  std::string text = "| driver | tried with |";
  for (const Property& property : properties()) text += " " + property.name + " |";
  text += "\n|---|---|";
  for (std::size_t i = 0; i < properties().size(); ++i) text += "---|";
  text += "\n";
  for (const Row& row : rows) {
    text += fmt::format("| `{}` | {} |", row.driver, row.daemon);
    for (const Cell& cell : row.cells)
      text += cell.kind == Cell::Kind::holds          ? " holds |"
              : cell.kind == Cell::Kind::not_promised ? " not promised |"
              : cell.kind == Cell::Kind::none         ? " – |"
                                                      : " **BROKEN** |";
    text += "\n";
  }
  return text;
}

int figure(const std::vector<Row>& rows) {
  std::map<Cell::Kind, int> count;
  for (const Row& row : rows)
    for (const Cell& cell : row.cells) ++count[cell.kind];
  const int broken = count[Cell::Kind::broken];
  fmt::print("conformance: {} drivers, {} properties: {} hold, {} not promised, {} broken\n",
             rows.size(), properties().size(), count[Cell::Kind::holds],
             count[Cell::Kind::not_promised], broken);
  return broken == 0 ? 0 : 1;
}

bool holds_matrix(const std::string& file, const std::string& text) {
  std::stringstream all;
  all << std::ifstream(file).rdbuf();
  if (all.str().find(text) != std::string::npos) return true;
  fmt::print("\n{} does not hold this matrix: put it there\n", file);
  return false;
}

int main_of(const std::vector<std::string>& args) {
  std::string only, doc;
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    if (args[i] == "--only")
      only = args[i + 1];
    else if (args[i] == "--doc")
      doc = args[i + 1];
    else
      return 64;
  }
  if (args.size() % 2 != 0) return 64;
  std::vector<Row> rows;
  for (const WorldMaker& maker : all_worlds())
    if (only.empty() || maker.name == only) rows.push_back(run(maker));
  if (rows.empty()) return 64;
  const std::string text = matrix(rows);
  fmt::print("\n{}\n", text);
  const bool documented = doc.empty() || holds_matrix(doc, text);
  const int code = figure(rows);
  return documented ? code : 1;
}

}  // namespace
}  // namespace hitless::conformance

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return hitless::conformance::main_of({argv + 1, argv + argc});
}
