//! What wit-bindgen generates from the WIT. Authors never see it; tests of the sandbox use it to break its rules.

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "remotemedia_node::bindings",
});
