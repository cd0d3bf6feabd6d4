// Tables as text and as HTML.
#include "figures/table.h"

#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain::report;
using stagedtrain::test::contains;

namespace {

Table table() {
  return {.title = "T",
          .columns = {{"run"}, {"loss", true}, {"state"}},
          .rows = {{"a", "1.70 ± 0.01", "ended"}, {"longer", "2", ""}}};
}

}  // namespace

TEST_CASE("a table on a terminal has aligned columns, whatever bytes a letter takes") {
  CHECK(to_text(table()) ==
        "run            loss  state\n"
        "a       1.70 ± 0.01  ended\n"
        "longer            2\n");
}

TEST_CASE("a table on the page has a caption, headings and cells") {
  const std::string html = to_html(table());
  CHECK(contains(html, "<caption>T</caption>"));
  CHECK(contains(html, "<th scope=\"col\" class=\"number\">loss</th>"));
  CHECK(contains(html, "<th scope=\"row\">longer</th><td class=\"number\">2</td><td></td>"));
}

TEST_CASE("text is made safe for HTML") {
  CHECK(escaped("<a href=\"x\">'&\n") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp; ");
  Table bad = table();
  bad.title = bad.columns[0].title = bad.rows[0][0] = bad.rows[0][1] = "<b>";
  CHECK_FALSE(contains(to_html(bad), "<b>"));
}

TEST_CASE("a table without rows is left out") {
  CHECK(to_text(Table{.title = "T"}).empty());
  CHECK(to_html(Table{.title = "T"}).empty());
}
