"""The operations on vectors go in; LLVM's vector instructions for each come out."""
