//! Whose connectors are loaded: everything but a file exactly as a trusted key signed it is refused, before anything is
//! compiled.

use crate::support::guest::{component, limits};
use std::path::Path;
use waybill_host::engine::HostEngine;
use waybill_host::load::{LoadError, Loader};
use waybill_host::trust::{SignatureError, SigningKey, Trust, sign};
use waybill_model::ids::Generation;

/// Bytes of a signature's section.
const SECTION: usize = 93;

struct Bench {
    folder: tempfile::TempDir,
    key: SigningKey,
    signed: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let key = SigningKey::generate("the maker").unwrap();
        let signed = sign(&component(), &key).unwrap().bytes;
        Self {
            folder: tempfile::tempdir().unwrap(),
            key,
            signed,
        }
    }

    /// An engine that counts what it compiles, with nothing kept of earlier ones.
    fn engine(&self, name: &str) -> HostEngine {
        HostEngine::new(Some(&self.folder.path().join(name))).unwrap()
    }

    fn trusting(&self) -> Trust {
        Trust::new(vec![self.key.public()], false)
    }

    fn loader(&self, engine: &HostEngine) -> Loader {
        Loader::new(engine.clone(), limits(), self.trusting())
    }

    /// Every byte of head and tail, and many between.
    fn places(&self) -> Vec<usize> {
        let len = self.signed.len();
        let tail = len - SECTION - 64;
        let step = tail / 1_500;
        (0..64)
            .chain((64..tail).step_by(step))
            .chain(tail..len)
            .collect()
    }
}

fn refusal(error: &LoadError) -> &SignatureError {
    match error {
        LoadError::Signature(error) => error,
        other => panic!("refused for another reason: {other}"),
    }
}

#[tokio::test]
async fn a_signed_connector_is_loaded_and_says_who_answers_for_it() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let generation = bench
        .loader(&engine)
        .load(bench.signed.clone(), Generation(1))
        .await
        .unwrap();
    let signer = generation.signer().unwrap();
    assert_eq!(signer.name, "the maker");
    assert_eq!(signer.id, bench.key.public().id());
    assert_eq!(engine.compiled(), 1);

    // Signed by somebody else it is another file, and yet the same code: nothing is compiled again.
    let other = SigningKey::generate("another").unwrap();
    let again = sign(&bench.signed, &other).unwrap();
    assert_eq!(again.replaced, Some(bench.key.public().id()));
    let trust = Trust::new(vec![other.public()], false);
    let second = Loader::new(engine.clone(), limits(), trust)
        .load(again.bytes, Generation(2))
        .await
        .unwrap();
    assert_ne!(second.hash(), generation.hash());
    assert_eq!(engine.compiled(), 1);
}

#[tokio::test]
async fn one_changed_bit_is_refused_wherever_it_is_before_anything_compiles() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let loader = bench.loader(&engine);
    let mut tried = 0;
    for place in bench.places() {
        let mut bad = bench.signed.clone();
        bad[place] ^= 1 << (place % 8);
        let error = loader.load(bad, Generation(1)).await.unwrap_err();
        assert!(
            matches!(error, LoadError::Signature(_) | LoadError::NotAComponent(_)),
            "byte {place}: {error}"
        );
        assert!(error.hint().is_some(), "byte {place}: {error}");
        tried += 1;
    }
    assert!(tried > 1_500, "{tried}");
    assert_eq!(engine.compiled(), 0, "nothing of it was compiled");
}

#[tokio::test]
async fn every_bit_of_the_signature_itself_counts() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let loader = bench.loader(&engine);
    let start = bench.signed.len() - SECTION;
    for bit in start * 8..bench.signed.len() * 8 {
        let mut bad = bench.signed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let error = loader.load(bad, Generation(1)).await.unwrap_err();
        refusal(&error);
    }
    assert_eq!(engine.compiled(), 0);
}

#[tokio::test]
async fn a_file_cut_short_is_refused_wherever_it_ends() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let loader = bench.loader(&engine);
    for end in bench.places() {
        let bad = bench.signed[..end].to_vec();
        let error = loader.load(bad, Generation(1)).await.unwrap_err();
        assert!(
            matches!(
                error,
                LoadError::NotAComponent(_)
                    | LoadError::Signature(SignatureError::CutShort | SignatureError::Missing)
            ),
            "at {end}: {error}"
        );
    }
    assert_eq!(engine.compiled(), 0);
}

#[tokio::test]
async fn what_follows_the_signature_is_refused() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let loader = bench.loader(&engine);
    let signature = &bench.signed[bench.signed.len() - SECTION..];
    let custom = b"\0\x05\x04more".as_slice();
    for (added, wanted) in [
        (b"\n".as_slice(), SignatureError::Trailing(1)),
        (custom, SignatureError::Trailing(custom.len())),
        (signature, SignatureError::Several(2)),
        (&bench.signed, SignatureError::Trailing(bench.signed.len())),
    ] {
        let bad = [&bench.signed, added].concat();
        let error = loader.load(bad, Generation(1)).await.unwrap_err();
        assert_eq!(*refusal(&error), wanted);
    }
    // A signature that is good for the shorter file inside does not help either.
    let early = sign(&bench.signed[..8], &bench.key).unwrap().bytes;
    let bad = [&early, &bench.signed[8..]].concat();
    let error = loader.load(bad, Generation(1)).await.unwrap_err();
    assert_eq!(*refusal(&error), SignatureError::Several(2));
    assert_eq!(engine.compiled(), 0);
}

#[tokio::test]
async fn only_trusted_keys_count() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let stranger = SigningKey::generate("the maker").unwrap();
    let id = stranger.public().id();
    let foreign = sign(&component(), &stranger).unwrap().bytes;
    for trust in [bench.trusting(), Trust::new(vec![bench.key.public()], true)] {
        let loader = Loader::new(engine.clone(), limits(), trust);
        let error = loader
            .load(foreign.clone(), Generation(1))
            .await
            .unwrap_err();
        assert_eq!(*refusal(&error), SignatureError::UnknownKey { id });
        let hint = error.hint().unwrap();
        assert!(hint.contains(&id.to_string()) && hint.contains("trusted-keys"));
    }
    // The trusted key's id in front of a foreign signature.
    let mut disguised = foreign;
    let (ours, len) = (&bench.signed[bench.signed.len() - 72..], disguised.len());
    disguised[len - 72..len - 64].copy_from_slice(&ours[..8]);
    let error = bench
        .loader(&engine)
        .load(disguised, Generation(1))
        .await
        .unwrap_err();
    assert!(matches!(refusal(&error), SignatureError::Tampered { .. }));
    assert_eq!(engine.compiled(), 0);
}

#[tokio::test]
async fn unsigned_files_need_the_switch() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    let error = bench
        .loader(&engine)
        .load(component(), Generation(1))
        .await
        .unwrap_err();
    assert_eq!(*refusal(&error), SignatureError::Missing);
    assert!(error.hint().unwrap().contains("allow-unsigned"));
    assert_eq!(engine.compiled(), 0);
    let open = Loader::new(engine.clone(), limits(), Trust::new(Vec::new(), true));
    let generation = open.load(component(), Generation(1)).await.unwrap();
    assert_eq!(generation.signer(), None);
}

#[tokio::test]
async fn a_look_reads_names_and_runs_nothing() {
    let bench = Bench::new();
    let engine = bench.engine("code");
    // A guest whose `describe` traps: it can be looked at, and not loaded.
    let trapping = crate::support::guest::altered("describe:plain  ", "describe:trap   ");
    let trapping = sign(&trapping, &bench.key).unwrap().bytes;
    let loader = bench.loader(&engine);
    let look = loader.look(trapping.clone()).await.unwrap();
    assert_eq!(look.signer.unwrap().name, "the maker");
    assert!(look.passport.abilities()[0].starts_with("calls web addresses"));
    assert!(look.passport.duties()[0].starts_with("reads documents"));
    let error = loader.load(trapping, Generation(1)).await.unwrap_err();
    assert!(matches!(error, LoadError::Describe(_)), "{error}");
    let missing = waybill_host::load::read(Path::new("/nowhere/x.wasm"));
    assert!(matches!(missing, Err(LoadError::File { .. })));
}
