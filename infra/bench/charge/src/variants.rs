//! The compared functions: how each is started, and which of its files would be uploaded.

use crate::{Error, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// One compared function.
pub struct Variant {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// The working directory, which in Lambda is the task root.
    pub directory: PathBuf,
    pub environment: BTreeMap<String, String>,
    /// The files or the directory to upload.
    upload: PathBuf,
}

/// All variants, and the versions of their runtimes and packages.
pub struct Variants {
    pub charging: Variant,
    pub python: Variant,
    pub node: Variant,
    pub hello: Variant,
    /// An earlier build of our function.
    pub before: Option<Variant>,
    pub versions: String,
    /// The root certificates that come with boto3.
    pub roots: PathBuf,
}

impl Variants {
    /// # Errors
    /// If the versions of Python or Node cannot be determined.
    pub fn find(options: &Options, charging: &BTreeMap<String, String>, unpacked: &Path) -> Result<Self, Error> {
        let (functions, tools) = (std::path::absolute(&options.functions)?, std::path::absolute(&options.tools)?);
        let (python, node) = (tools.join("python"), tools.join("node"));
        let python_program = python.join("bin/python");
        let python_versions = told(&python_program, &["-c", PYTHON_VERSIONS])?;
        let roots =
            told(&python_program, &["-c", "import botocore.httpsession as s; print(s.DEFAULT_CA_BUNDLE)"])?.into();
        let node_program: PathBuf = told(Path::new("node"), &["-p", "process.execPath"])?.into();
        let versions = format!("{python_versions}; Node.js {}", node_versions(&node_program, &node)?);
        let in_rust = |name, program: &Path, environment| -> Result<Variant, Error> {
            Ok(Variant::in_rust(name, unpack(program, &unpacked.join(name))?, environment))
        };
        let before = options.before.as_ref().map(|program| in_rust("charging, before", program, charging.clone()));
        Ok(Self {
            charging: in_rust("charging (Rust)", &functions.join("charging/bootstrap"), charging.clone())?,
            python: Variant {
                name: "Python, boto3",
                program: python_program,
                arguments: ["-m", "awslambdaric", "handler.handler"].map(str::to_owned).into(),
                directory: python.join("function"),
                environment: BTreeMap::new(),
                upload: python.join("function"),
            },
            node: Variant {
                name: "Node.js, SDK v3",
                program: node_program,
                arguments: [&node.join("node_modules/aws-lambda-ric/index.mjs").to_string_lossy(), "handler.handler"]
                    .map(str::to_owned)
                    .into(),
                directory: node.join("function"),
                environment: BTreeMap::new(),
                upload: node.join("function"),
            },
            hello: in_rust("hello world (Rust)", &functions.join("bench-hello/bootstrap"), BTreeMap::new())?,
            before: before.transpose()?,
            versions,
            roots,
        })
    }

    pub fn all(&self) -> Vec<&Variant> {
        [&self.charging, &self.python, &self.node, &self.hello].into_iter().chain(&self.before).collect()
    }
}

const PYTHON_VERSIONS: &str = "import platform, boto3; from importlib.metadata import version; \
    print('Python', platform.python_version() + ', boto3', boto3.__version__ + ', awslambdaric', version('awslambdaric'))";

fn node_versions(program: &Path, tools: &Path) -> Result<String, Error> {
    let version = |package: &str| -> Result<String, Error> {
        let manifest = std::fs::read(tools.join("node_modules").join(package).join("package.json"))?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        Ok(format!("{package} {}", manifest["version"].as_str().unwrap_or_default()))
    };
    let node = told(program, &["-p", "process.versions.node"])?;
    Ok([node, version("@aws-sdk/client-dynamodb")?, version("aws-lambda-ric")?].join(", "))
}

/// The output of a program.
pub fn told(program: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Writes a program anew, as unzipping a function does.
///
/// A linker writes through a memory map, which leaves the file in the page cache in small pieces. charging takes a sixth
/// longer to start from those than from a file that was written in one go, as the packages of Python and Node.js were.
fn unpack(program: &Path, directory: &Path) -> Result<PathBuf, Error> {
    let unpacked = directory.join("bootstrap");
    std::fs::create_dir_all(directory)?;
    std::fs::write(&unpacked, std::fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?)?;
    std::fs::set_permissions(&unpacked, std::fs::Permissions::from_mode(0o755))?;
    Ok(unpacked)
}

impl Variant {
    /// Our function.
    pub fn charging(program: PathBuf, environment: &BTreeMap<String, String>) -> Self {
        Self::in_rust("charging (Rust)", program, environment.clone())
    }

    fn in_rust(name: &'static str, program: PathBuf, environment: BTreeMap<String, String>) -> Self {
        let directory = program.parent().unwrap_or(Path::new("/")).to_owned();
        Self { name, upload: program.clone(), program, arguments: vec![], directory, environment }
    }

    /// The same function, started by another program.
    pub fn run_by(&self, program: &str, arguments: &[&str]) -> Self {
        let started = [self.program.to_string_lossy().into_owned()];
        Self {
            name: self.name,
            program: program.into(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).chain(started).collect(),
            directory: self.directory.clone(),
            environment: self.environment.clone(),
            upload: self.upload.clone(),
        }
    }

    /// The size of the upload in bytes, as a zip file with the best compression.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn zip_bytes(&self) -> Result<u64, Error> {
        let mut zip = ZipWriter::new(tempfile::tempfile()?);
        for file in files(&self.upload)? {
            let name = if self.upload.is_file() { Path::new("bootstrap") } else { file.strip_prefix(&self.upload)? };
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(9));
            zip.start_file(name.to_string_lossy(), options)?;
            zip.write_all(&std::fs::read(&file)?)?;
        }
        Ok(zip.finish()?.metadata()?.len())
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = vec![];
    for entry in std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
        found.extend(files(&entry?.path())?);
    }
    Ok(found)
}
