// Which growth operators are there? For each, a function that makes it from its options and one
// that documents these options. operators.cc lists them in one table.
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
std::unique_ptr<GrowthOperator> make_rms_copy(const Tree& options);
std::vector<FieldRow> document_rms_copy();
std::unique_ptr<GrowthOperator> make_lemon(const Tree& options);
std::vector<FieldRow> document_lemon();
std::unique_ptr<GrowthOperator> make_expand(const Tree& options);
std::vector<FieldRow> document_expand();
std::unique_ptr<GrowthOperator> make_ligo(const Tree& options);
std::vector<FieldRow> document_ligo();
std::unique_ptr<GrowthOperator> make_mango(const Tree& options);
std::vector<FieldRow> document_mango();
std::unique_ptr<GrowthOperator> make_mask(const Tree& options);
std::vector<FieldRow> document_mask();
std::unique_ptr<GrowthOperator> make_llama_pro(const Tree& options);
std::vector<FieldRow> document_llama_pro();
std::unique_ptr<GrowthOperator> make_untie(const Tree& options);
std::vector<FieldRow> document_untie();
std::unique_ptr<GrowthOperator> make_passes(const Tree& options);
std::vector<FieldRow> document_passes();
std::unique_ptr<GrowthOperator> make_route(const Tree& options);
std::vector<FieldRow> document_route();
std::unique_ptr<GrowthOperator> make_upcycle(const Tree& options);
std::vector<FieldRow> document_upcycle();
std::unique_ptr<GrowthOperator> make_experts(const Tree& options);
std::vector<FieldRow> document_experts();
std::unique_ptr<GrowthOperator> make_merge(const Tree& options);
std::vector<FieldRow> document_merge();
std::unique_ptr<GrowthOperator> make_coalesce(const Tree& options);
std::vector<FieldRow> document_coalesce();
std::unique_ptr<GrowthOperator> make_decoalesce(const Tree& options);
std::vector<FieldRow> document_decoalesce();
std::unique_ptr<GrowthOperator> make_corner(const Tree& options);
std::vector<FieldRow> document_corner();
std::unique_ptr<GrowthOperator> make_interpolate(const Tree& options);
std::vector<FieldRow> document_interpolate();
std::unique_ptr<GrowthOperator> make_vocabulary(const Tree& options);
std::vector<FieldRow> document_vocabulary();
std::unique_ptr<GrowthOperator> make_context(const Tree& options);
std::vector<FieldRow> document_context();

}  // namespace stagedtrain::grow
