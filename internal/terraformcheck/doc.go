// Package terraformcheck checks the Terraform module without an account and
// without a provider: that its files are formatted, that every argument, block
// and reference is one that the AWS provider knows (from a reduced copy of the
// provider's schema), that nothing required is missing, and, by evaluating it
// with made-up ids, what the policies and outputs come to.
//
// It knows names, types and nesting only. What the provider itself validates
// (address ranges, enumerations, arguments that exclude one another) and what
// AWS answers is beyond it.
package terraformcheck
