//! Files and folders as objects that can be checked one by one.
