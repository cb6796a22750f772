;; A whole node of wit/v0.1.0, written by hand: it gives every packet of audio back as it came. The tests replace the
;; body of one export, or add to the module, and leave the rest as it is.
;;
;; Memory: 16 strings, 1024 what describe returns, 2048 what initialize returns, 2064 what process and flush return,
;; 2112 the one output, 65536 and up what the host hands in.
(component
  (type $level (enum "trace" "debug" "info" "warn" "error"))
  (type $host-types (instance
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))))
  (import "remotemedia:node/host@0.1.0" (instance $host (type $host-types)))
  ;; IMPORTS

  (core module $memory
    (memory (export "memory") 4)
    (global $end (export "end") (mut i32) (i32.const 65536))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      ;;[realloc
      (local.set $at (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
      (global.set $end (i32.add (local.get $at) (local.get $size)))
      (local.get $at)
      ;;]
    ))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $log (canon lower (func $host "log") (memory $mem) (realloc $realloc)))

  (core module $code
    (import "memory" "memory" (memory $mem 4))
    (import "memory" "end" (global $end (mut i32)))
    (import "memory" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (data (i32.const 16) "handmade0.1.0Written by hand.inout{\22type\22:\22object\22}")
    ;; The descriptor: node-type, version, summary, inputs, outputs, params-schema, stateless.
    (data (i32.const 1024)
      "\10\00\00\00\08\00\00\00" "\18\00\00\00\05\00\00\00" "\1d\00\00\00\10\00\00\00"
      "\80\04\00\00\01\00\00\00" "\90\04\00\00\01\00\00\00" "\32\00\00\00\11\00\00\00" "\00")
    (data (i32.const 1152) "\2d\00\00\00\02\00\00\00\00\00\00\00")
    (data (i32.const 1168) "\2f\00\00\00\03\00\00\00\00\00\00\00")
    (func $describe (export "describe") (result i32)
      ;;[describe
      (i32.const 1024)
      ;;]
    )
    (func $initialize (export "initialize") (param $json i32) (param $json_len i32) (result i32)
      ;;[initialize
      (i32.const 2048)
      ;;]
    )
    (func $process (export "process") (param $port i32) (param $pts i64) (param $kind i32)
        (param $format i32) (param $rate i32) (param $channels i32) (param $data i32) (param $data_len i32) (result i32)
      (local $n i32)
      (i32.store16 (i32.const 2112) (i32.const 0))
      (i64.store (i32.const 2120) (local.get $pts))
      (i32.store8 (i32.const 2128) (local.get $kind))
      (i32.store8 (i32.const 2132) (local.get $format))
      (i32.store (i32.const 2136) (local.get $rate))
      (i32.store16 (i32.const 2140) (local.get $channels))
      (i32.store (i32.const 2144) (local.get $data))
      (i32.store (i32.const 2148) (local.get $data_len))
      (i32.store8 (i32.const 2064) (i32.const 0))
      (i32.store (i32.const 2068) (i32.const 2112))
      (i32.store (i32.const 2072) (i32.const 1))
      ;;[process
      ;;]
      (i32.const 2064)
    )
    (func $flush (export "flush") (result i32)
      ;;[flush
      (i32.store8 (i32.const 2064) (i32.const 0))
      (i32.store (i32.const 2072) (i32.const 0))
      (i32.const 2064)
      ;;]
    )
    (func $cleanup (export "cleanup")
      ;;[cleanup
      ;;]
    )
    (func (export "post") (param $result i32)
      ;;[post
      (global.set $end (i32.const 65536))
      ;;]
    )
    ;; MODULE
  )
  (core instance $code (instantiate $code
    (with "memory" (instance $memory))
    (with "host" (instance (export "log" (func $log))))))

  (type $sample-format (enum "int16" "int32" "float32"))
  (type $audio (record
    (field "format" $sample-format) (field "sample-rate" u32) (field "channels" u16) (field "data" (list u8))))
  (type $dtype (enum "bool" "uint8" "int8" "uint16" "int16" "uint32" "int32" "uint64" "int64" "float16" "float32"
    "float64"))
  (type $tensor (record (field "dtype" $dtype) (field "shape" (list u32)) (field "data" (list u8))))
  (type $payload (variant
    (case "audio" $audio) (case "text" string) (case "json" string) (case "tensor" $tensor) (case "bytes" (list u8))))
  (type $packet (record (field "pts-ns" s64) (field "payload" $payload)))
  (type $output (record (field "port" u16) (field "packet" $packet)))
  (type $payload-kind (enum "audio" "text" "json" "tensor" "bytes" "any"))
  (type $port (record (field "name" string) (field "kind" $payload-kind)))
  (type $descriptor (record
    (field "node-type" string) (field "version" string) (field "summary" string) (field "inputs" (list $port))
    (field "outputs" (list $port)) (field "params-schema" string) (field "stateless" bool)))
  (type $error-kind (enum "invalid-params" "invalid-input" "transient" "internal"))
  (type $node-error (record (field "kind" $error-kind) (field "message" string)))

  (func $describe (result $descriptor)
    (canon lift (core func $code "describe") (memory $mem) (realloc $realloc) (post-return (core func $code "post"))))
  (func $initialize (param "params-json" string) (result (result (error $node-error)))
    (canon lift (core func $code "initialize") (memory $mem) (realloc $realloc) (post-return (core func $code "post"))))
  (func $process (param "port" u16) (param "packet" $packet) (result (result (list $output) (error $node-error)))
    (canon lift (core func $code "process") (memory $mem) (realloc $realloc) (post-return (core func $code "post"))))
  (func $flush (result (result (list $output) (error $node-error)))
    (canon lift (core func $code "flush") (memory $mem) (realloc $realloc) (post-return (core func $code "post"))))
  (func $cleanup (canon lift (core func $code "cleanup")))

  (instance $node
    (export "sample-format" (type $sample-format))
    (export "audio" (type $audio))
    (export "dtype" (type $dtype))
    (export "tensor" (type $tensor))
    (export "payload" (type $payload))
    (export "packet" (type $packet))
    (export "output" (type $output))
    (export "payload-kind" (type $payload-kind))
    (export "port" (type $port))
    (export "descriptor" (type $descriptor))
    (export "error-kind" (type $error-kind))
    (export "node-error" (type $node-error))
    (export "describe" (func $describe))
    (export "initialize" (func $initialize))
    (export "process" (func $process))
    (export "flush" (func $flush))
    (export "cleanup" (func $cleanup)))
  ;; COMPONENT
  (export "remotemedia:node/node@0.1.0" (instance $node)))
