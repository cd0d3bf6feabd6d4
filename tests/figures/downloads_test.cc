// Figures as files: the numbers behind them, and pictures that need no page.
#include "figures/downloads.h"

#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain::report;
using stagedtrain::test::contains;

namespace {

Figure two_series() {
  Figure figure{.title = "Loss against FLOPs, \"here\"",
                .x = {.title = "training compute, TFLOPs"},
                .y = {.title = "loss"}};
  figure.lines.push_back({.points = {{1, 2}, {3, 4}}, .series = "validation loss: a \"b\", c\n=d"});
  figure.lines.push_back({.points = {{9, 9}}});  // decoration
  figure.points.push_back({.points = {{5, 6}}, .errors = {0.25}, .series = "staged"});
  return figure;
}

}  // namespace

TEST_CASE("the numbers of a figure are CSV: named series alone, with their errors") {
  CHECK(to_csv(two_series()) ==
        "series,\"training compute, TFLOPs\",\"loss\",standard error\n"
        "\"validation loss: a \"\"b\"\", c =d\",1,2,\n"
        "\"validation loss: a \"\"b\"\", c =d\",3,4,\n"
        "\"staged\",5,6,0.25\n");
}

TEST_CASE("a picture that leaves the page takes its colours with it") {
  const std::string svg =
      standalone_svg("<svg><path stroke='rgb(  1,   1,  16)' fill='rgb(1,1,19)'/></svg>");
  CHECK_FALSE(contains(svg, "var("));
  CHECK(contains(svg, "stroke='#"));
}

TEST_CASE("the links name files after the figure and hold them in the page") {
  const std::string links = download_links(two_series(), "<svg></svg>");
  CHECK(contains(links, "download=\"loss-against-flops-here.svg\""));
  CHECK(contains(links, "download=\"loss-against-flops-here.csv\""));
  CHECK(contains(links, "href=\"data:text/csv;charset=utf-8;base64,c2VyaWVzLCJ0cmFpbmluZyBjb21"));
}
