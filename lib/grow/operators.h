// Every operator's maker and documentation, for the table.
#pragma once

#include "grow/operator.h"

namespace stagedtrain::grow {

std::unique_ptr<GrowthOperator> make_width(const Tree& options);
std::vector<FieldRow> document_width();
std::unique_ptr<GrowthOperator> make_clone(const Tree& options);
std::vector<FieldRow> document_clone();
std::unique_ptr<GrowthOperator> make_depth(const Tree& options);
std::vector<FieldRow> document_depth();

std::unique_ptr<GrowthOperator> make_stack(const Tree& options);
std::vector<FieldRow> document_stack();
std::unique_ptr<GrowthOperator> make_llama_pro(const Tree& options);
std::vector<FieldRow> document_llama_pro();

}  // namespace stagedtrain::grow
