//! Pushing packages to an OCI registry and pulling them: the one place of the host that opens a connection, and only
//! when a person asks for it.

use std::future::Future;
use std::io::Cursor;
use std::time::Duration;

use docker_credential::DockerCredential;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::image::{self, MOST_CONFIG_BYTES};
use super::{Package, PackageError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the registry may be silent in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A user with a password or an access token.
    User {
        /// The name.
        name: String,
        /// The secret.
        password: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::User { name, .. } => write!(f, "User {{ name: {name:?}, password: … }}"),
        }
    }
}

impl Credentials {
    /// What `docker login` stored for the registry of `reference`; nobody in particular when there is nothing.
    #[must_use]
    pub fn of_docker(reference: &str) -> Self {
        let host = reference.split('/').next().unwrap_or_default();
        match docker_credential::get_credential(host) {
            Ok(DockerCredential::UsernamePassword(name, password)) => Self::User { name, password },
            Ok(DockerCredential::IdentityToken(_)) | Err(_) => Self::Anonymous,
        }
    }
}

/// A package's place in a registry.
#[derive(Debug)]
pub struct Registry {
    reference: Reference,
    credentials: Credentials,
    plain_http: bool,
}

impl Registry {
    /// The place that `reference` (`registry/name:tag` or `registry/name@sha256:…`) names.
    ///
    /// Connections are encrypted, except to registries on this machine's loopback addresses and where `plain_http`
    /// asks for it.
    ///
    /// # Errors
    /// When it names none. A registry must be named: there is no default one.
    pub fn new(reference: &str, credentials: Credentials, plain_http: bool) -> Result<Self, PackageError> {
        let refuse = |why: String| PackageError::Reference { reference: reference.into(), why };
        let parsed: Reference = reference.parse().map_err(|error| refuse(format!("{error}")))?;
        if !names_registry(reference) {
            return Err(refuse("it names no registry".into()));
        }
        Ok(Self { plain_http: plain_http || is_loopback(parsed.registry()), reference: parsed, credentials })
    }

    /// The registry's host and port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.reference.registry()
    }

    /// The last part of the package's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.repository().rsplit('/').next().unwrap_or_default()
    }

    /// The name by which the package with that manifest digest can be pulled for ever: `registry/name@sha256:…`.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.host(), self.reference.repository())
    }

    /// Pushes `package`; the result is the digest of its manifest, by which it can be pulled for ever.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn push(&self, package: &Package) -> Result<String, PackageError> {
        let (layer, config, manifest) = image::build(package)?;
        let encoded =
            serde_json::to_vec(&manifest).map_err(|error| self.failed("push", error.to_string()))?;
        self.block_on("push", async {
            let client = self.client();
            let auth = self.auth();
            client.store_auth_if_needed(self.reference.resolve_registry(), &auth).await;
            client.push_blob(&self.reference, layer.data, &manifest.layers[0].digest).await?;
            client.push_blob(&self.reference, config.data, &manifest.config.digest).await?;
            let media_type = oci_client::manifest::OCI_IMAGE_MEDIA_TYPE
                .parse()
                .map_err(|_| OciDistributionError::GenericError(Some("the manifest's media type".into())))?;
            client.push_manifest_raw(&self.reference, encoded.clone(), media_type).await
        })?;
        Ok(image::digest(&encoded))
    }

    /// Pulls the package, with every digest checked; the second result is the digest of its manifest.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or when what is there is no node's package or its component
    /// larger than `most_component_bytes`.
    pub fn pull(&self, most_component_bytes: u64) -> Result<(Package, String), PackageError> {
        let what = format!("`{}`", self.reference);
        let client = self.client();
        let (manifest, digest) =
            self.block_on("pull", client.pull_image_manifest(&self.reference, &self.auth()))?;
        let (layer, bytes) = image::component_layer(&what, &manifest, most_component_bytes)?;
        let config_bytes = image::size(&what, &manifest.config)?;
        if config_bytes > MOST_CONFIG_BYTES {
            return Err(PackageError::no_package(&what, format!("its config has {config_bytes} bytes")));
        }
        let config = self.blob(&client, &manifest.config, config_bytes)?;
        let component = self.blob(&client, layer, bytes)?;
        Ok((image::parse(&what, &config, component)?, digest))
    }

    /// A blob of a size that was checked before; a registry that sends more is cut off. The client checks the digest.
    fn blob(&self, client: &Client, descriptor: &OciDescriptor, bytes: u64) -> Result<Vec<u8>, PackageError> {
        let length =
            usize::try_from(bytes).map_err(|_| self.failed("pull", "too large for this machine".into()))?;
        let mut content = vec![0; length];
        let mut cursor = Cursor::new(&mut content[..]);
        self.block_on("pull", client.pull_blob(&self.reference, descriptor, &mut cursor))?;
        let received = cursor.position();
        if received != bytes {
            return Err(self.failed("pull", format!("{received} of {bytes} bytes arrived")));
        }
        Ok(content)
    }

    fn client(&self) -> Client {
        // The crypto provider is one per process; that another one is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new(ClientConfig {
            protocol: if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("remotemedia/", env!("CARGO_PKG_VERSION")),
            platform_resolver: None,
            ..ClientConfig::default()
        })
    }

    fn auth(&self) -> RegistryAuth {
        match &self.credentials {
            Credentials::Anonymous => RegistryAuth::Anonymous,
            Credentials::User { name, password } => RegistryAuth::Basic(name.clone(), password.clone()),
        }
    }

    fn block_on<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T, PackageError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.failed(action, error.to_string()))?;
        runtime.block_on(work).map_err(|error| self.explain(action, error))
    }

    fn failed(&self, action: &'static str, why: String) -> PackageError {
        PackageError::Registry { action, reference: self.reference.to_string(), why }
    }

    fn explain(&self, action: &'static str, error: OciDistributionError) -> PackageError {
        use OciDistributionError as Oci;
        let (registry, reference) = (self.host().to_owned(), self.reference.to_string());
        let has = |codes: &[OciErrorCode], envelope: &oci_client::errors::OciEnvelope| {
            envelope.errors.iter().any(|error| codes.contains(&error.code))
        };
        match &error {
            Oci::UnauthorizedError { .. }
            | Oci::AuthenticationFailure(_)
            | Oci::ServerError { code: 401 | 403, .. } => self.unauthorized(action),
            Oci::RegistryError { envelope, .. }
                if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied], envelope) =>
            {
                self.unauthorized(action)
            }
            Oci::ImageManifestNotFoundError(_) | Oci::ServerError { code: 404, .. } => {
                PackageError::NotFound { registry, reference }
            }
            Oci::RegistryError { envelope, .. }
                if has(
                    &[OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound],
                    envelope,
                ) =>
            {
                PackageError::NotFound { registry, reference }
            }
            _ => self.failed(action, causes(&error)),
        }
    }

    fn unauthorized(&self, action: &'static str) -> PackageError {
        let as_whom = match &self.credentials {
            Credentials::Anonymous => "anonymously".into(),
            Credentials::User { name, .. } => format!("as `{name}`"),
        };
        PackageError::Unauthorized {
            registry: self.host().to_owned(),
            action,
            reference: self.reference.to_string(),
            as_whom,
        }
    }
}

/// The error with what caused it: "error sending request" alone does not say that nobody listens.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let deeper_text = deeper.to_string();
        if !text.contains(&deeper_text) {
            text = format!("{text}: {deeper_text}");
        }
        cause = deeper.source();
    }
    text
}

/// A name without a registry would silently mean one that somebody else runs.
fn names_registry(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost")
}

fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_refused() {
        for reference in ["gain", "gain:0.1.0", "nodes/gain", "registry.example.com/Nodes/Gain", ""] {
            let error = Registry::new(reference, Credentials::Anonymous, false).unwrap_err();
            assert!(matches!(error, PackageError::Reference { .. }), "{reference}: {error}");
        }
        let registry =
            Registry::new("registry.example.com/nodes/gain:0.1.0", Credentials::Anonymous, false).unwrap();
        assert_eq!(
            (registry.host(), registry.name(), registry.plain_http),
            ("registry.example.com", "gain", false)
        );
    }

    #[test]
    fn only_this_machine_is_reached_without_encryption() {
        for (host, loopback) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.8.8", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("10.0.0.1:5000", false),
            ("127.0.0.1.example.com", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let user = Credentials::User { name: "ann".into(), password: "s3cret".into() };
        let registry = Registry::new("127.0.0.1:5000/gain:1", user, false).unwrap();
        assert!(!format!("{registry:?}").contains("s3cret"));
        assert!(!registry.unauthorized("push").to_string().contains("s3cret"));
    }
}
