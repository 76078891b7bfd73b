//! Owns the country codes: ISO 3166-1 alpha-2 to alpha-3, which is what Brightpearl's addresses take.
//! Must not know what an address is.

use waybill_sdk::blank::trim;

/// Alpha-2 and alpha-3 of each country as one word of five letters and a blank, in order; XK is the code in use for Kosovo.
const CODES: &str = "\
    ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA \
    AZAZE BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES \
    BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV CKCOK \
    CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA \
    DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA \
    GAGAB GBGBR GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS \
    GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD \
    IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA \
    KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA \
    LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ \
    MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER NFNFK NGNGA NINIC \
    NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM \
    PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC \
    SDSDN SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV \
    SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON TRTUR \
    TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR \
    VNVNM VUVUT WFWLF WSWSM XKXKX YEYEM YTMYT ZAZAF ZMZMB ZWZWE ";

/// Names that shops write where a code belongs, without any doubt which country they mean.
const NAMES: [(&str, &str); 6] = [
    ("UNITED STATES", "USA"),
    ("UNITED STATES OF AMERICA", "USA"),
    ("U.S.A.", "USA"),
    ("CANADA", "CAN"),
    ("MEXICO", "MEX"),
    ("UNITED KINGDOM", "GBR"),
];

/// The alpha-3 code of a country given in alpha-2 or alpha-3, in any case; `None` where there is no such country.
pub fn alpha3(code: &str) -> Option<&'static str> {
    let code = trim(code);
    // Reserved by ISO for the United Kingdom and for nobody else, and written by many shops.
    if code.eq_ignore_ascii_case("UK") {
        return Some("GBR");
    }
    if let Some((_, known)) = NAMES
        .iter()
        .find(|(name, _)| code.eq_ignore_ascii_case(name))
    {
        return Some(known);
    }
    let (words, _) = CODES.as_bytes().as_chunks::<6>();
    let at = match *code.as_bytes() {
        [first, second] => {
            let wanted = [first, second].map(|b| b.to_ascii_uppercase());
            words.binary_search_by_key(&wanted, |w| [w[0], w[1]]).ok()
        }
        [first, second, third] => {
            let wanted = [first, second, third].map(|b| b.to_ascii_uppercase());
            words.iter().position(|word| word[2..5] == wanted)
        }
        _ => None,
    };
    CODES.get(at? * 6 + 2..at? * 6 + 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_both_codes_in_any_case() {
        assert_eq!(alpha3("us"), Some("USA"));
        assert_eq!(alpha3(" GB "), Some("GBR"));
        assert_eq!(alpha3("deu"), Some("DEU"));
        assert_eq!(alpha3("UK"), Some("GBR"));
        assert_eq!(alpha3("CH"), Some("CHE"));
        assert_eq!(alpha3("United States"), Some("USA"));
        for wrong in ["", "U", "XX", "USAX", "America"] {
            assert_eq!(alpha3(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn has_every_country_once() {
        let words: Vec<&str> = CODES.split_ascii_whitespace().collect();
        assert_eq!(words.len(), 250);
        assert!(words.iter().all(|w| w.len() == 5));
        assert!(words.is_sorted_by(|a, b| a[..2] < b[..2]));
        let mut threes: Vec<&str> = words.iter().map(|w| &w[2..]).collect();
        threes.sort_unstable();
        threes.dedup();
        assert_eq!(threes.len(), 250);
    }
}
