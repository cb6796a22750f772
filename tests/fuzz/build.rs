//! Lets the fuzzers find the libpython that they were linked with.

fn main() {
    if let Ok(folder) = std::env::var("DEP_REMOTEMEDIA_PYTHON_LIBPYTHON_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
